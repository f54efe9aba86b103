// Crosses between C++ and the server. These two crossings are the only ones:
//   pg::udf   runs C++ below a function of the server: a C++ exception becomes an ereport;
//   pg::call  runs server code below C++: an ereport becomes a C++ exception (ServerError).
//
// Terms
// A server error is what ereport(ERROR) raises: a longjmp that runs no destructor.
//
// Invariants
// An ereport is raised only after the catch block and every C++ scope have been left, from plain memory. A longjmp ends
// inside pg::call, so that it never passes a frame with a destructor. No exception passes a PG_TRY. SQLSTATE, message,
// detail, hint and context survive both crossings. After a ServerError the transaction must be aborted (end of the
// function, or AbortCurrentTransaction in a worker), because only that releases locks, snapshots and SPI state.
//
// Threads
// Main thread only.
//
// Use
// Inside namespace pgmpc, because the server has global names like Hash:
//   Datum pg_mpc_f(PG_FUNCTION_ARGS) {
//     bytea* argument = PG_GETARG_BYTEA_PP(0);              // may raise: no C++ object is alive yet
//     return pg::udf(fcinfo, [&] {                          // captures by reference only
//       Bytes bytes = compute(pg::bytes_of(argument));
//       return PointerGetDatum(pg::make_varlena(bytes));    // palloc through pg::call
//     });
//   }
#pragma once
#include <exception>
#include <string>
#include <type_traits>

#include "base/bytes.h"
#include "base/error.h"
#include "pg/compat.h"

namespace pgmpc::pg {

// An error of the server, or of another process that sends SQLSTATEs, inside C++ code.
class ServerError : public Error {
 public:
  ServerError(int sqlstate, std::string message, std::string detail = {}, std::string hint = {},
              std::string context = {})
      : Error(ErrorCode::internal, std::move(message), std::move(detail), std::move(hint)),
        sqlstate_(sqlstate),
        context_(std::move(context)) {}
  int sqlstate() const noexcept { return sqlstate_; }
  const std::string& context() const noexcept { return context_; }

 private:
  int sqlstate_;
  std::string context_;
};

// Returns the SQLSTATE of a ServerError, else the one of the error's code (pg/errcodes.h).
int sqlstate_of(const Error& error) noexcept;

// Describes an exception after C++ has been left, in plain memory.
struct ErrorReport {
  int sqlstate;
  bool from_server;  // its context is already complete
  char message[1024];
  char detail[4096];
  char hint[1024];
  char context[4096];
};

// Describes the exception that is being handled. Call it only inside a catch block.
void describe_current_exception(ErrorReport& report) noexcept;
// Raises it by ereport(ERROR).
[[noreturn]] void raise(const ErrorReport& report);

// First crossing. `body` returns a plain value or nothing. Every exception that it throws becomes an ereport.
template <typename F>
auto udf(F&& body) -> std::invoke_result_t<F&> {
  static_assert(std::is_trivially_destructible_v<std::remove_reference_t<F>>, "capture by reference");
  using R = std::invoke_result_t<F&>;
  static_assert(std::is_void_v<R> || std::is_trivially_destructible_v<R>, "return plain values");
  ErrorReport report;
  try {
    return body();
  } catch (...) {
    describe_current_exception(report);
  }
  raise(report);
}

// The same for an SQL-callable function. `body` returns the Datum, and sets fcinfo->isnull for NULL.
template <typename F>
Datum udf(FunctionCallInfo fcinfo, F&& body) {
  fcinfo->isnull = false;
  return udf(std::forward<F>(body));
}

// The part of the second crossing that is not a template. Runs body(argument). Returns the server error that it raised,
// copied to the caller's memory context, or nullptr.
ErrorData* try_server(void (*body)(void*), void* argument) noexcept;
[[noreturn]] void throw_server_error(ErrorData* error);

// Second crossing. `body` calls the server and holds no C++ object with a destructor. Its own exceptions pass, too.
template <typename F>
auto call(F&& body) -> std::invoke_result_t<F&> {
  using R = std::invoke_result_t<F&>;
  static_assert(std::is_void_v<R> || std::is_trivially_destructible_v<R>, "return plain values");
  using Stored = std::conditional_t<std::is_void_v<R>, char, R>;
  struct Frame {
    std::remove_reference_t<F>* body;
    Stored result;
    std::exception_ptr thrown;
  } frame{&body, Stored{}, nullptr};
  ErrorData* error = try_server(
      [](void* argument) {
        Frame* f = static_cast<Frame*>(argument);
        try {
          if constexpr (std::is_void_v<R>) {
            (*f->body)();
          } else {
            f->result = (*f->body)();
          }
        } catch (...) {
          f->thrown = std::current_exception();
        }
      },
      &frame);
  if (error) throw_server_error(error);
  if (frame.thrown) std::rethrow_exception(frame.thrown);
  if constexpr (!std::is_void_v<R>) return frame.result;
}

// Return the payload of a detoasted varlena, also with a short header.
inline ByteView bytes_of(const void* varlena) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(varlena)),
          static_cast<std::size_t>(VARSIZE_ANY_EXHDR(varlena))};
}
inline std::string_view text_of(const void* varlena) noexcept {
  return {VARDATA_ANY(varlena), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(varlena))};
}

// Make new values in CurrentMemoryContext, from inside C++. make_varlena: Error(limit_exceeded) above 1 GB.
struct varlena* make_varlena(ByteView payload);
char* make_cstring(std::string_view text);

// CHECK_FOR_INTERRUPTS from inside C++. A cancelled query arrives as ServerError(57014).
void check_for_interrupts();

}  // namespace pgmpc::pg
