// What: the entry point of pg_mpc.so: one Init() per module.
// Terms: preloaded = named in shared_preload_libraries. The types and the cryptography in SQL work without it.
#include "pg/compat.h"
#include "pg/guc.h"
#include "worker/worker.h"

extern "C" {
#ifdef PG_MODULE_MAGIC_EXT
// From PostgreSQL 18 on, pg_get_loaded_modules() shows them.
PG_MODULE_MAGIC_EXT(.name = "pg_mpc", .version = PG_MPC_VERSION);
#else
PG_MODULE_MAGIC;
#endif
PGDLLEXPORT void _PG_init(void);
}

void _PG_init(void) {
  pgmpc::guc::Init();
  pgmpc::worker::Init();
}
