// The one exception type of the core. pg/guard.h turns it into an ereport with a SQLSTATE.
//
// Terms
// message: one lowercase sentence fragment without a full stop.
// detail: the values that were wrong.
// hint: what the user can do.
//
// Security
// None of the three may contain a secret, a share or an opened intermediate value. Before the match count is public,
// none may contain anything that depends on another party's data.
#pragma once
#include <exception>
#include <string>
#include <utility>

namespace pgmpc {

// Every way in which the core refuses or fails. pg/errcodes.h maps each code to a SQLSTATE.
enum class ErrorCode {
  invalid_parameter,    // 22023  a value outside its documented range, mixed keys, unknown spec key
  out_of_range,         // 22003  numeric value outside what the encoding can carry
  data_exception,       // 22000  the source holds something that no study can use (duplicates, NaN)
  invalid_text,         // 22P02  text or binary representation that does not parse
  wrong_state,          // 55000  step out of order, study not approved, wrong role
  not_supported,        // 0A000
  undefined_object,     // 42704  unknown study, party, peer
  duplicate_object,     // 42710
  limit_exceeded,       // 54000  size, count or memory limit
  out_of_memory,        // 53200
  configuration,        // F0000  missing or wrong setting, key file, certificate
  cancelled,            // 57014
  timeout,              // MP001  the awaited peer made no progress within step_timeout
  peer_stopped,         // MP002  a peer withdrew from the running attempt
  peer_unreachable,     // MP003  connection, TLS or certificate failure; detail says which and why
  protocol_violation,   // MP004  a peer sent something the protocol does not allow here
  refused,              // MP005  a disclosure rule of the agreed spec refused the study
  not_converged,        // MP006  iteration cap reached; nothing was opened
  inconsistent_shares,  // MP007  the third share of an opening disagrees
  internal,             // XX000
};

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, std::string detail = {}, std::string hint = {})
      : code_(code), message_(std::move(message)), detail_(std::move(detail)), hint_(std::move(hint)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  ErrorCode code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  ErrorCode code_;
  std::string message_, detail_, hint_;
};

}  // namespace pgmpc
