// What: an error as it travels between processes and nodes: SQLSTATE, message, detail, hint.
// Invariants: no PostgreSQL header; the texts follow base/error.h (lowercase, no secrets).
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

// A fault on its way up through C++ (what an SQL function of this node or a peer answered).
class FaultError : public std::exception {
 public:
  explicit FaultError(Fault fault) : fault_(std::move(fault)) {}
  const char* what() const noexcept override { return fault_.message.c_str(); }
  const Fault& fault() const noexcept { return fault_; }

 private:
  Fault fault_;
};

// Passes by itself: locks, serialization, resources, a shutdown, an internal error.
bool is_temporary(const std::string& sqlstate);

// Keeps the SQLSTATE of a ServerError (pg/guard.h).
Fault fault_of(const Error& error);
// The fault of whatever is being thrown; call it inside a catch block.
Fault current_fault();

}  // namespace pgmpc::pg
