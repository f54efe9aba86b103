// Defines the main function of an engine's worker: signals, connection, source, and waiting for the protocol thread.
//
// Invariants
// SIGTERM sets the cancel token and, while the source is read, cancels that query. The main thread answers the server's
// barriers while the protocol thread computes. Postmaster death cancels.
//
// Security
// The process holds keys and shares: it makes no core files and cleanses the memory that it frees.
#include <atomic>

#include "crypto/secret_process.h"
#include "worker/engine.h"
#include "worker/source_statistics.h"

// After the headers that are free of PostgreSQL.
#include "pg/fixed_settings.h"
#include "pg/guard.h"
#include "pg/guc.h"
#include "pg/workers.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "postmaster/postmaster.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "storage/procsignal.h"

PGDLLEXPORT void pg_mpc_engine_main(Datum argument);
}

namespace {

using pgmpc::Engine;

// Every check of the token, by any thread, is a sign that the computation makes progress.
std::atomic<std::uint64_t> looks{0};
bool count_look() noexcept {
  looks.fetch_add(1, std::memory_order_relaxed);
  return false;
}
std::uint64_t looks_so_far() { return looks.load(std::memory_order_relaxed); }
pgmpc::CancelToken cancel_token(count_look);
volatile sig_atomic_t reading_source = 0;

void stop_engine(SIGNAL_ARGS) {
  int saved = errno;
  cancel_token.cancel();
  if (reading_source) {
    InterruptPending = true;
    QueryCancelPending = true;
  }
  SetLatch(MyLatch);
  errno = saved;
}

void serve_server() {
  if (ProcSignalBarrierPending) ProcessProcSignalBarrier();
#if PG_VERSION_NUM >= 140000
  if (LogMemoryContextPending) ProcessLogMemoryContextInterrupt();
#endif
}

// Sleeps until the protocol thread has ended. Only wake-ups by the server are handled meanwhile.
void wait_for_protocol(Engine& engine) {
  for (;;) {
    int events = pgmpc::pg::call([&] {
      int woken = WaitLatchOrSocket(MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_POSTMASTER_DEATH, engine.done_fd(),
                                    -1, PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      serve_server();
      return woken;
    });
    if (events & WL_POSTMASTER_DEATH) cancel_token.cancel();
    if (events & (WL_SOCKET_READABLE | WL_POSTMASTER_DEATH)) return;
  }
}

bool run_engine(const char* attempt) noexcept {
  std::unique_ptr<Engine> engine;
  try {
    engine = std::make_unique<Engine>(attempt, cancel_token, looks_so_far, postmaster_alive_fds[POSTMASTER_FD_WATCH]);
    if (engine->needs_source()) {
      reading_source = 1;
      cancel_token.check();
      engine->read();
      reading_source = 0;
    }
    engine->start();
    wait_for_protocol(*engine);
    if (engine->stalled()) {
      engine->report_failure(engine->stall());
      (void)engine.release();  // its thread may still use it until the process ends
      return false;
    }
    return engine->join();
  } catch (...) {
    reading_source = 0;
    pgmpc::pg::ErrorFields error = pgmpc::pg::current_error();
    if (engine)
      engine->report_failure(error);
    else
      pgmpc::pg::log_warning("engine could not start: " + error.message);
  }
  return false;
}

}  // namespace

void pg_mpc_engine_main(Datum argument) {
  pgmpc::become_secret_process();
  pqsignal(SIGTERM, stop_engine);
  pqsignal(SIGINT, SIG_IGN);
  pqsignal(SIGHUP, SIG_IGN);
  pqsignal(SIGPIPE, SIG_IGN);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(pgmpc::guc::database(), NULL, 0);
  pgmpc::pg::fix_settings_of_worker();
  pgmpc::keep_statistics_out_of_cache();
  pgstat_report_activity(STATE_IDLE, NULL);
  proc_exit(run_engine(MyBgworkerEntry->bgw_extra) ? 0 : 1);
}
