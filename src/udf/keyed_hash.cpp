// What: mpc.keyed_hash(key, identifier): HMAC-SHA-256 for trying the join's first step out in SQL.
// Invariants: the study path never calls this function: its key is an SQL value, a study's key never is.
#include "crypto/keyed_hash.h"

#include "pg/guard.h"

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_keyed_hash);
}

Datum pg_mpc_keyed_hash(PG_FUNCTION_ARGS) {
  bytea* key = PG_GETARG_BYTEA_PP(0);
  text* identifier = PG_GETARG_TEXT_PP(1);
  return pg::udf(fcinfo, [&] {
    Hash hash = keyed_hash(pg::bytes_of(key), pg::bytes_of(identifier));
    return PointerGetDatum(pg::make_varlena(hash));
  });
}

}  // namespace pgmpc
