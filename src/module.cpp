// The entry point of pg_mpc.so: one Init() per module.
//
// Terms
// Preloaded: named in shared_preload_libraries. The SQL types and the cryptographic functions work without it.
#include "pg/compat.h"
#include "pg/guc.h"
#include "worker/worker.h"

extern "C" {
#ifdef PG_MODULE_MAGIC_EXT
// pg_get_loaded_modules() shows both values, from PostgreSQL 18 on.
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
