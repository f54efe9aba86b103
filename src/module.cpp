// What: the entry point of pg_mpc.so: one Init() per module.
// Terms: preloaded = named in shared_preload_libraries. The types and the cryptography in SQL work without it.
#include "pg/compat.h"
#include "pg/guc.h"
#include "worker/worker.h"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

void _PG_init(void) {
  pgmpc::guc::Init();
  pgmpc::worker::Init();
}
