// Defines a fault: an error as processes and nodes send it to each other, with SQLSTATE, message, detail and hint.
//
// Invariants
// No PostgreSQL header is needed. The texts follow base/error.h (lowercase, no secrets).
#pragma once
#include <string>

#include "base/error.h"

namespace pgmpc::pg {

struct Fault {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
};

// A fault that is thrown through C++ code: the answer of an SQL function of this node, or of a peer.
class FaultError : public std::exception {
 public:
  explicit FaultError(Fault fault) : fault_(std::move(fault)) {}
  const char* what() const noexcept override { return fault_.message.c_str(); }
  const Fault& fault() const noexcept { return fault_; }

 private:
  Fault fault_;
};

// True for errors that may pass by themselves: locks, serialization, resources, a shutdown, an internal error.
bool is_temporary(const std::string& sqlstate);

// Converts an Error; keeps the SQLSTATE of a ServerError (pg/guard.h).
Fault fault_of(const Error& error);
// Converts the exception that is being handled. Call it inside a catch block.
Fault current_fault();

}  // namespace pgmpc::pg
