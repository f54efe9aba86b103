// Defines ErrorFields: an error as processes and nodes send it to each other, with SQLSTATE, message, detail and hint.
//
// Invariants
// No PostgreSQL header is needed. The texts follow base/error.h (lowercase, no secrets).
#pragma once
#include <string>

#include "base/error.h"

namespace pgmpc::pg {

struct ErrorFields {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
};

// Throws ErrorFields through C++ code: the error of an SQL function of this node, or of a peer.
class ErrorFieldsException : public std::exception {
 public:
  explicit ErrorFieldsException(ErrorFields fields) : fields_(std::move(fields)) {}
  const char* what() const noexcept override { return fields_.message.c_str(); }
  const ErrorFields& fields() const noexcept { return fields_; }

 private:
  ErrorFields fields_;
};

// True for errors that may pass by themselves: locks, serialization, resources, a shutdown, an internal error.
bool is_temporary(const std::string& sqlstate);

// Converts an Error; keeps the SQLSTATE of a ServerError (pg/guard.h).
ErrorFields error_fields(const Error& error);
// Converts the exception that is being handled. Call it inside a catch block.
ErrorFields current_error();

}  // namespace pgmpc::pg
