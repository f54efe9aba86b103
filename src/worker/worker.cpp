// Registers the static workers.
#include "worker/worker.h"

#include "pg/compat.h"
#include "pg/workers.h"

namespace pgmpc::worker {

void Init() {
  if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) return;
  pg::register_static_workers();
}

}  // namespace pgmpc::worker
