// Lets SQL functions send requests to the coordinator of their node.
//
// Terms
// An event is a frame that comes before the answer of a request; it reports a finished step.
//
// Errors
// Waiting honours cancel requests and the death of the postmaster. Errors of the server arrive as ServerError
// (pg/guard.h). The connection closes with the object. No PostgreSQL header is needed here; use it inside pg::udf.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "ipc/local_socket.h"
#include "pg/error_fields.h"

namespace pgmpc::pg {

class Rpc {
 public:
  using Timeout = std::optional<std::chrono::milliseconds>;  // none: no limit

  // Connects; waits up to 10 s for a coordinator that is starting. Error(wrong_state) when pg_mpc is not preloaded or
  // the coordinator does not start. ServerError(25006) on a standby.
  Rpc();
  void send(const std::string& request);
  // Returns the next frame as JSON text, nothing after the timeout. Error(wrong_state) when the coordinator has been
  // restarted.
  std::optional<std::string> receive(Timeout timeout);

 private:
  LocalConnection connection_;
};

// Throws ServerError with these fields, so that SQL gets its SQLSTATE, message, detail and hint.
[[noreturn]] void throw_as_server_error(const ErrorFields& error);

// For transaction callbacks, which may neither fail nor wait. Sends only what the socket takes at once.
void notify_coordinator(const std::string& request) noexcept;

}  // namespace pgmpc::pg
