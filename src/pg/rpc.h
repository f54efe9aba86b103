// What: the client of SQL functions for the coordinator of their node.
// Terms: event = a frame that comes before the answer of a request (finished steps).
// Invariants: waiting honours cancel requests and the postmaster's death (errors as ServerError, pg/guard.h); error
//             the connection closes with the object. No PostgreSQL header here: use it inside pg::udf.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "ipc/local_socket.h"
#include "pg/fault.h"

namespace pgmpc::pg {

class Rpc {
 public:
  using Timeout = std::optional<std::chrono::milliseconds>;  // none: as long as it takes

  // Waits some seconds for a coordinator that is just starting. Error(wrong_state) when pg_mpc is not preloaded or
  // the coordinator does not come up.
  Rpc();
  void send(const std::string& request);
  // The next frame as JSON text; nothing after the timeout.
  std::optional<std::string> receive(Timeout timeout);

 private:
  LocalConnection connection_;
};

// Throws the fault as ServerError, so that SQL gets its SQLSTATE, message, detail and hint.
[[noreturn]] void throw_fault(const Fault& fault);

// For transaction callbacks, which may neither fail nor wait: sends if that is possible at once.
void notify_coordinator(const std::string& request) noexcept;

}  // namespace pgmpc::pg
