// Defines the main functions of the static workers: signals and the wait loop.
//
// Invariants
// No C++ object with a destructor exists in these frames, so interrupts may end the process at any
// CHECK_FOR_INTERRUPTS. The event loop is nested in the WaitEventSet by its one descriptor, so that latch, postmaster
// death and sockets are awaited together. Exit code 1 makes the postmaster start the worker again.
#include "pg/compat.h"
#include "pg/fixed_settings.h"
#include "pg/guc.h"
#include "worker/service.h"
#include "worker/worker.h"

extern "C" {
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/resowner.h"

PGDLLEXPORT void pg_mpc_listener_main(Datum argument);
PGDLLEXPORT void pg_mpc_coordinator_main(Datum argument);
}

namespace {

using pgmpc::Service;

void prepare_signals() {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGPIPE, SIG_IGN);
  BackgroundWorkerUnblockSignals();
}

WaitEventSet* wait_set(int fd) {
#if PG_VERSION_NUM >= 170000
  WaitEventSet* set = CreateWaitEventSet(NULL, 3);
#else
  WaitEventSet* set = CreateWaitEventSet(TopMemoryContext, 3);
#endif
  AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
  AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
  AddWaitEventToSet(set, WL_SOCKET_READABLE, fd, NULL, NULL);
  return set;
}

[[noreturn]] void serve(Service* service) {
  WaitEventSet* set = wait_set(service->fd);
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    if (ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
      service->settings_changed(service->object);
    }
    int timeout = service->step(service->object);
    WaitEvent events[3];
    int count = WaitEventSetWait(set, timeout, events, 3, PG_WAIT_EXTENSION);
    for (int i = 0; i < count; i++) {
      if (!(events[i].events & WL_LATCH_SET)) continue;
      ResetLatch(MyLatch);
      service->latch_was_set(service->object);
    }
  }
}

}  // namespace

void pg_mpc_listener_main(Datum argument) {
  prepare_signals();
  Service service;
  if (!pgmpc::open_listener(&service)) proc_exit(1);
  serve(&service);
}

void pg_mpc_coordinator_main(Datum argument) {
  prepare_signals();
  BackgroundWorkerInitializeConnection(pgmpc::guc::database(), NULL, 0);
  // A session that holds a lock must not block the node: the request fails and is tried again.
  SetConfigOption("lock_timeout", "5s", PGC_SUSET, PGC_S_OVERRIDE);
  pgmpc::pg::fix_settings_of_worker();
  pgstat_report_activity(STATE_IDLE, NULL);
  Service service;
  if (!pgmpc::open_coordinator(&service)) proc_exit(1);
  serve(&service);
}
