// What: the two crossings between C++ and the server, and the only place where they meet.
//       pg::udf   runs C++ below a function of the server: a C++ exception becomes an ereport;
//       pg::call  runs server code below C++: an ereport becomes a C++ exception (ServerError).
// Terms: server error = what ereport(ERROR) raises, a longjmp that runs no destructor.
// Invariants: an ereport is raised only after the catch block and every C++ scope have been left, from plain memory;
//             a longjmp ends inside pg::call, so it never passes a frame with a destructor; no exception passes a
//             PG_TRY; SQLSTATE, message, detail, hint and context survive both crossings.
// Use (inside namespace pgmpc: the server has global names like Hash):
//       Datum pg_mpc_f(PG_FUNCTION_ARGS) {
//         bytea* argument = PG_GETARG_BYTEA_PP(0);              // may raise: no C++ object is alive yet
//         return pg::udf(fcinfo, [&] {                          // captures by reference only
//           Bytes bytes = compute(pg::bytes_of(argument));
//           return PointerGetDatum(pg::make_varlena(bytes));    // palloc through pg::call
//         });
//       }
// After a ServerError the transaction must be aborted (end of the function, or AbortCurrentTransaction in a worker):
// locks, snapshots and SPI state are released only by that. Main thread only.
#pragma once
#include <exception>
#include <string>
#include <type_traits>

#include "base/bytes.h"
#include "base/error.h"
#include "pg/compat.h"

namespace pgmpc::pg {

// An error of the server (or of another process that speaks SQLSTATEs) inside C++ code.
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

// SQLSTATE that an exception of ours stands for.
int sqlstate_of(const Error& error) noexcept;

// What is left of an exception once C++ has been left: plain memory.
struct ErrorReport {
  int sqlstate;
  bool from_server;  // its context is complete already
  char message[1024];
  char detail[4096];
  char hint[1024];
  char context[4096];
};

// Called inside a catch block only: describes the exception being handled.
void describe_current_exception(ErrorReport& report) noexcept;
[[noreturn]] void raise(const ErrorReport& report);

// First crossing. `body` returns a plain value (or nothing); whatever it throws becomes an ereport.
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

// The same for an SQL-callable function: the result is its Datum; set fcinfo->isnull in the body for NULL.
template <typename F>
Datum udf(FunctionCallInfo fcinfo, F&& body) {
  fcinfo->isnull = false;
  return udf(std::forward<F>(body));
}

// Second crossing, the part that is not a template: runs body(argument) and returns the server error it raised, as a
// copy in the caller's memory context, or nullptr.
ErrorData* try_server(void (*body)(void*), void* argument) noexcept;
[[noreturn]] void throw_server_error(ErrorData* error);

// `body` calls the server; it holds no C++ object with a destructor. Its own exceptions pass too.
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

// The payload of a detoasted varlena (short headers too).
inline ByteView bytes_of(const void* varlena) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(varlena)),
          static_cast<std::size_t>(VARSIZE_ANY_EXHDR(varlena))};
}
inline std::string_view text_of(const void* varlena) noexcept {
  return {VARDATA_ANY(varlena), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(varlena))};
}

// New values in CurrentMemoryContext, made from inside C++. Error(limit_exceeded) above 1 GB.
struct varlena* make_varlena(ByteView payload);
char* make_cstring(std::string_view text);

// CHECK_FOR_INTERRUPTS from inside C++: a cancelled query arrives as ServerError(57014).
void check_for_interrupts();

}  // namespace pgmpc::pg
