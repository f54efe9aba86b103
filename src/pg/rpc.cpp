// Implements the client of the coordinator.
#include "pg/rpc.h"

#include "pg/errcodes.h"
#include "pg/guard.h"

extern "C" {
#include "access/xlog.h"
#include "pgstat.h"
#include "storage/latch.h"
}

namespace pgmpc::pg {
namespace {

constexpr char kSocket[] = "pg_mpc/pgsql_tmp.coordinator";
constexpr std::chrono::seconds kStartPatience{10};  // for a coordinator that is being (re)started
constexpr long kPause = 50;                         // ms between two attempts to connect

// Set while the server loads the library, before any of its functions can run.
const bool loaded_at_start = process_shared_preload_libraries_in_progress;

void wait_on_latch(int fd, int events, long timeout) {
  call([&] {
    int wanted = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | events | (timeout >= 0 ? WL_TIMEOUT : 0);
    if (fd >= 0)
      WaitLatchOrSocket(MyLatch, wanted, fd, timeout, PG_WAIT_EXTENSION);
    else
      WaitLatch(MyLatch, wanted, timeout, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  });
}

LocalConnection connect() {
  if (!loaded_at_start)
    throw Error(
        ErrorCode::wrong_state, "pg_mpc is not preloaded", "Studies need the background workers of pg_mpc.",
        "Set shared_preload_libraries = 'pg_mpc' and restart the server; the last assignment in the file wins.");
  if (RecoveryInProgress())
    throw ServerError(ERRCODE_READ_ONLY_SQL_TRANSACTION, "this server is a standby",
                      "Listener and coordinator of a node run on its primary.", "Connect to the primary.", "");
  auto deadline = LocalConnection::Clock::now() + kStartPatience;
  for (;;) {
    try {
      return LocalConnection(kSocket);
    } catch (const Error&) {
      if (LocalConnection::Clock::now() >= deadline)
        throw Error(ErrorCode::wrong_state, "the coordinator of this node is not running", "",
                    "The server log says why; pg_mpc.database must name an existing database.");
    }
    wait_on_latch(-1, 0, kPause);
  }
}

}  // namespace

Rpc::Rpc() : connection_(connect()) {}

void Rpc::send(const std::string& request) {
  for (bool done = connection_.try_send(view_of(request)); !done; done = connection_.try_send())
    wait_on_latch(connection_.fd(), WL_SOCKET_WRITEABLE, -1);
}

std::optional<std::string> Rpc::receive(Timeout timeout) {
  using std::chrono::milliseconds;
  auto deadline = LocalConnection::Clock::now() + timeout.value_or(milliseconds(0));
  for (;;) {
    std::optional<Bytes> frame;
    try {
      frame = connection_.try_receive();
    } catch (const Error&) {
      throw Error(ErrorCode::wrong_state, "the coordinator of this node has been restarted", "",
                  "mpc.studies shows the state of the study.");
    }
    if (frame) return std::string(frame->begin(), frame->end());
    long left = -1;
    if (timeout) {
      left = std::chrono::ceil<milliseconds>(deadline - LocalConnection::Clock::now()).count();
      if (left <= 0) return std::nullopt;
    }
    wait_on_latch(connection_.fd(), WL_SOCKET_READABLE, left);
  }
}

void throw_as_server_error(const ErrorFields& error) {
  throw ServerError(sqlstate_from_text(error.sqlstate), error.message, error.detail, error.hint);
}

void notify_coordinator(const std::string& request) noexcept {
  try {
    LocalConnection connection(kSocket);
    connection.try_send(view_of(request));
  } catch (...) {
    // Without a coordinator nothing is lost: it reads the tables when it starts.
  }
}

}  // namespace pgmpc::pg
