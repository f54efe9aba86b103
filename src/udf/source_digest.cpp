// What: the digest of a source and the number of its complete records for SQL, taken when a party approves.
// Invariants: reads as the role given, with the code that engines read with; only the superuser's functions call it.
#include "worker/source_digest.h"

#include "pg/guard.h"
#include "pg/row.h"
#include "worker/engine_source.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_pin_source);
PG_FUNCTION_INFO_V1(pg_mpc_source_digest);
}

namespace {

struct Pin {
  struct varlena* digest;
  std::int64_t records;
};

// The arguments are those of the SQL function: spec, party, source, columns of the identifier, role.
Pin pin_of(FunctionCallInfo fcinfo) {
  text* spec_text = PG_GETARG_TEXT_PP(0);
  text* party = PG_GETARG_TEXT_PP(1);
  Oid relation = PG_GETARG_OID(2), role = PG_GETARG_OID(4);
  Datum* parts;
  int count;
  deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), TEXTOID, -1, false, TYPALIGN_INT, &parts, nullptr, &count);
  return pg::udf([&] {
    BoundSource bound{relation, {}, role};
    for (int i = 0; i < count; i++) bound.identifier.emplace_back(pg::text_of(DatumGetPointer(parts[i])));
    Spec spec = parse_spec(pg::text_of(spec_text));
    SourceDigest digest;
    scan_source(bound, spec, spec.party_index(pg::text_of(party)), [&](const Source& part) { digest.add(part); });
    return Pin{pg::make_varlena(digest.finish()), static_cast<std::int64_t>(digest.records())};
  });
}

}  // namespace

Datum pg_mpc_pin_source(PG_FUNCTION_ARGS) {
  TupleDesc row = pg::row_type(fcinfo);
  Pin pin = pin_of(fcinfo);
  bool nulls[2] = {false, false};
  Datum values[2] = {PointerGetDatum(pin.digest), Int64GetDatum(pin.records)};
  return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

// For the SQL of version 0.1.0, which a node may have until ALTER EXTENSION pg_mpc UPDATE.
Datum pg_mpc_source_digest(PG_FUNCTION_ARGS) { PG_RETURN_POINTER(pin_of(fcinfo).digest); }

}  // namespace pgmpc
