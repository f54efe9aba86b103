// Implements registration, status and end of the background workers.
#include "pg/workers.h"

#include "pg/guard.h"

extern "C" {
#include "postmaster/bgworker.h"
}

namespace pgmpc::pg {
namespace {

void name_worker(BackgroundWorker* worker, const char* function, const char* name, const char* type) {
  strlcpy(worker->bgw_library_name, "pg_mpc", BGW_MAXLEN);
  strlcpy(worker->bgw_function_name, function, BGW_MAXLEN);
  strlcpy(worker->bgw_name, name, BGW_MAXLEN);
  strlcpy(worker->bgw_type, type, BGW_MAXLEN);
}

BackgroundWorkerHandle* native(EngineHandle* handle) { return reinterpret_cast<BackgroundWorkerHandle*>(handle); }

void log_at(int level, const char* line) noexcept {
  try {
    call([&] { ereport(level, (errmsg("pg_mpc: %s", line), errhidestmt(true), errhidecontext(true))); });
  } catch (...) {
    // A line that cannot be written (out of memory) must not end the worker; it is dropped.
  }
}

}  // namespace

void register_static_workers() {
  BackgroundWorker worker;
  memset(&worker, 0, sizeof(worker));
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
  worker.bgw_restart_time = 1;
  name_worker(&worker, "pg_mpc_listener_main", "pg_mpc listener", "pg_mpc listener");
  RegisterBackgroundWorker(&worker);

  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_restart_time = 5;
  name_worker(&worker, "pg_mpc_coordinator_main", "pg_mpc coordinator", "pg_mpc coordinator");
  RegisterBackgroundWorker(&worker);
}

EngineHandle* start_engine(const std::string& attempt, const std::string& study) noexcept {
  BackgroundWorker worker;
  memset(&worker, 0, sizeof(worker));
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_notify_pid = MyProcPid;
  char name[BGW_MAXLEN];
  snprintf(name, sizeof(name), "pg_mpc engine: %s", study.c_str());
  name_worker(&worker, "pg_mpc_engine_main", name, "pg_mpc engine");
  strlcpy(worker.bgw_extra, attempt.c_str(), BGW_EXTRALEN);
  try {
    return call([&]() -> EngineHandle* {
      MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);  // the handle is palloc'ed
      BackgroundWorkerHandle* handle = nullptr;
      bool registered = RegisterDynamicBackgroundWorker(&worker, &handle);
      MemoryContextSwitchTo(before);
      return registered ? reinterpret_cast<EngineHandle*>(handle) : nullptr;
    });
  } catch (...) {
    return nullptr;  // out of memory: the same as no free slot
  }
}

EngineStatus engine_status(EngineHandle* handle, int* pid) noexcept {
  pid_t found = 0;
  BgwHandleStatus status = GetBackgroundWorkerPid(native(handle), &found);
  *pid = status == BGWH_STARTED ? static_cast<int>(found) : 0;
  if (status == BGWH_NOT_YET_STARTED) return EngineStatus::starting;
  return status == BGWH_STARTED ? EngineStatus::running : EngineStatus::stopped;
}

void terminate_engine(EngineHandle* handle) noexcept { TerminateBackgroundWorker(native(handle)); }

void forget_engine(EngineHandle* handle) noexcept { pfree(native(handle)); }

void log_line(const std::string& line) noexcept { log_at(LOG, line.c_str()); }

void log_warning(const std::string& line) noexcept { log_at(WARNING, line.c_str()); }

}  // namespace pgmpc::pg
