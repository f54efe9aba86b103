// Implements mpc.keyed_hash(key, identifier): HMAC-SHA-256, to try the first step of the join in SQL.
//
// Security
// Studies never call this function. Its key is an SQL value; the key of a study never is.
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
