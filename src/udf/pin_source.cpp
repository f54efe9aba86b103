// Reads a source when a controller approves. It computes the digest that pins the source and the commitments that the
// counterpart receives. It also stores the records that this node keeps for the rules over all data ever used with the
// counterpart.
//
// Invariants
// It reads as the given role, with the code that engines use. Only functions of the extension's owner call it. Records
// wait in a tuplestore (which may go to disk, like any sort) until the source is closed and the owner's role is back.
#include "udf/source_profile.h"
#include "worker/contents.h"
#include "worker/engine_source.h"

// After the headers that are free of PostgreSQL.
#include "pg/arrays.h"
#include "pg/guard.h"
#include "pg/row.h"

extern "C" {
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "utils/tuplestore.h"
}

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_pin_source);
PG_FUNCTION_INFO_V1(pg_mpc_source_digest);
PG_FUNCTION_INFO_V1(pg_mpc_commitment);
}

namespace {

// What the SQL function returns, in plain memory.
struct Pin {
  struct varlena* digest;
  std::int64_t records;
  std::int64_t data_version;
  ArrayType* commitments;
  ArrayType* two_valued;
  struct varlena* profile;
};

ArrayType* array_of(const std::vector<Datum>& elements, Oid type) {
  return pg::call([&] {
    return construct_array(const_cast<Datum*>(elements.data()), static_cast<int>(elements.size()), type, -1, false,
                           TYPALIGN_INT);
  });
}

ArrayType* text_array(const std::vector<std::string>& texts) {
  std::vector<Datum> elements;
  for (const std::string& text : texts) elements.push_back(PointerGetDatum(pg::make_varlena(view_of(text))));
  return array_of(elements, TEXTOID);
}

ArrayType* hash_array(const std::vector<Hash>& hashes) {
  std::vector<Datum> elements;
  for (const Hash& hash : hashes) elements.push_back(PointerGetDatum(pg::make_varlena(hash)));
  return array_of(elements, BYTEAOID);
}

// Holds the records until the source is closed: (person bytea, numbers float8[]), NULL for a missing value.
class KeptRecords {
 public:
  KeptRecords() {
    pg::call([&] {
      type_ = CreateTemplateTupleDesc(2);
      TupleDescInitEntry(type_, 1, "person", BYTEAOID, -1, 0);
      TupleDescInitEntry(type_, 2, "numbers", FLOAT8ARRAYOID, -1, 0);
      store_ = tuplestore_begin_heap(false, false, work_mem);
      scratch_ = AllocSetContextCreate(CurrentMemoryContext, "pg_mpc record", ALLOCSET_DEFAULT_SIZES);
    });
  }
  ~KeptRecords() {
    try {
      pg::call([&] { tuplestore_end(store_); });
    } catch (...) {
      // The end of the transaction frees it.
    }
  }

  void put(ByteView person, std::span<const double> values) {
    pg::call([&] {
      MemoryContext before = MemoryContextSwitchTo(scratch_);
      const std::size_t count = values.size();
      auto* key = static_cast<bytea*>(palloc(VARHDRSZ + person.size()));
      SET_VARSIZE(key, VARHDRSZ + person.size());
      std::memcpy(VARDATA(key), person.data(), person.size());
      auto* numbers = static_cast<Datum*>(palloc(sizeof(Datum) * (count + 1)));
      auto* missing = static_cast<bool*>(palloc(count + 1));
      for (std::size_t i = 0; i < count; i++) {
        missing[i] = values[i] != values[i];
        numbers[i] = Float8GetDatum(values[i]);
      }
      int dimension[1] = {static_cast<int>(count)}, lower[1] = {1};
      Datum row[2] = {PointerGetDatum(key),
                      PointerGetDatum(construct_md_array(numbers, missing, 1, dimension, lower, FLOAT8OID,
                                                         sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE))};
      bool nulls[2] = {false, false};
      tuplestore_putvalues(store_, type_, row, nulls);
      MemoryContextSwitchTo(before);
      MemoryContextReset(scratch_);
    });
  }

  void insert_as(std::int64_t data_version) {
    pg::call([&] {
      Oid types[3] = {INT8OID, BYTEAOID, FLOAT8ARRAYOID};
      SPI_connect();
      SPIPlanPtr plan = SPI_prepare(
          "INSERT INTO mpc_internal.kept_records (data_version, person, numbers) VALUES ($1, $2, $3)", 3, types);
      if (plan == nullptr) elog(ERROR, "SPI failed: %s", SPI_result_code_string(SPI_result));
      TupleTableSlot* slot = MakeSingleTupleTableSlot(type_, &TTSOpsMinimalTuple);
      while (tuplestore_gettupleslot(store_, true, false, slot)) {
        bool null;
        Datum values[3] = {Int64GetDatum(data_version), slot_getattr(slot, 1, &null), slot_getattr(slot, 2, &null)};
        if (SPI_execute_plan(plan, values, nullptr, false, 0) != SPI_OK_INSERT) elog(ERROR, "SPI failed");
        CHECK_FOR_INTERRUPTS();
      }
      ExecDropSingleTupleTableSlot(slot);
      SPI_finish();
    });
  }

 private:
  TupleDesc type_ = nullptr;
  Tuplestorestate* store_ = nullptr;
  MemoryContext scratch_ = nullptr;
};

// Returns the data version of the counterpart that holds these columns. It is an earlier one, or a new one whose
// records must be stored (negative).
std::int64_t data_version_of(struct varlena* counterpart, struct varlena* study, std::int32_t version,
                             ArrayType* columns, ArrayType* commitments) {
  return pg::call([&] {
    Oid types[5] = {TEXTOID, TEXTOID, INT4OID, TEXTARRAYOID, BYTEAARRAYOID};
    Datum values[5] = {PointerGetDatum(counterpart), PointerGetDatum(study), Int32GetDatum(version),
                       PointerGetDatum(columns), PointerGetDatum(commitments)};
    bool null = true;
    SPI_connect();
    int code = SPI_execute_with_args("SELECT mpc_internal.data_version_of($1, $2, $3, $4, $5)", 5, types, values,
                                     nullptr, false, 1);
    if (code != SPI_OK_SELECT || SPI_processed != 1) elog(ERROR, "SPI failed: %s", SPI_result_code_string(code));
    std::int64_t id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
    SPI_finish();
    return id;
  });
}

struct PinArguments {
  text* spec;
  text* party;
  BoundSource bound;
};

PinArguments arguments_of(FunctionCallInfo fcinfo, text* spec, text* party, ArrayType* identifier) {
  return {spec, party, BoundSource{PG_GETARG_OID(2), pg::texts_of(identifier), PG_GETARG_OID(4)}};
}

}  // namespace

// Arguments: spec, party, source, columns of the identifier, role, counterpart, study, version.
Datum pg_mpc_pin_source(PG_FUNCTION_ARGS) {
  TupleDesc row = pg::row_type(fcinfo);
  text* spec_text = PG_GETARG_TEXT_PP(0);
  text* party = PG_GETARG_TEXT_PP(1);
  ArrayType* identifier = PG_GETARG_ARRAYTYPE_P(3);
  text* counterpart = PG_GETARG_TEXT_PP(5);
  text* study = PG_GETARG_TEXT_PP(6);
  Pin pin = pg::udf([&] {
    const PinArguments given = arguments_of(fcinfo, spec_text, party, identifier);
    const Spec spec = read_spec(pg::text_of(spec_text));
    const int controller = spec.party_index(pg::text_of(party));
    const std::vector<std::string> columns = spec.controllers.at(static_cast<std::size_t>(controller)).columns();
    SourceDigest digest;
    SourceContents contents(std::string(pg::text_of(counterpart)), columns);
    KeptRecords kept;
    SourceProfile profile(spec, controller, columns);
    scan_source(
        given.bound, spec, controller, columns,
        [&](const Source& part) {
          digest.add(part);
          contents.add(part, [&](ByteView person, std::span<const double> values) { kept.put(person, values); });
          profile.add(part);
        },
        profile.see());
    // The rules over all data used with the counterpart handle one record per person. If one of two records is
    // incomplete, a study would use the other, and no rule would check it. Data that are known already are no
    // exception: commitments are per column. With each column in another record, a person would be missing from the
    // study under the same commitments.
    const std::int64_t repeated = profile.duplicates();
    if (repeated != 0)
      throw Error(ErrorCode::data_exception, "the source has duplicate identifiers",
                  std::to_string(repeated) +
                      " records repeat the identifier of another record; records with missing values count",
                  "Bind a view that has one record per identifier.");
    Pin out{pg::make_varlena(digest.finish()),
            static_cast<std::int64_t>(digest.records()),
            0,
            hash_array(contents.commitments()),
            text_array(profile.two_valued()),
            pg::make_varlena(view_of(profile.json(repeated)))};
    const std::int64_t id =
        data_version_of(reinterpret_cast<struct varlena*>(counterpart), reinterpret_cast<struct varlena*>(study),
                        PG_GETARG_INT32(7), text_array(columns), out.commitments);
    if (id < 0) kept.insert_as(-id);
    out.data_version = id < 0 ? -id : id;
    return out;
  });
  bool nulls[6] = {};
  Datum values[6] = {PointerGetDatum(pin.digest),      Int64GetDatum(pin.records),      Int64GetDatum(pin.data_version),
                     PointerGetDatum(pin.commitments), PointerGetDatum(pin.two_valued), PointerGetDatum(pin.profile)};
  return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
}

// Returns the digest alone, for the SQL of version 0.1.0, which a node may have until ALTER EXTENSION pg_mpc UPDATE.
Datum pg_mpc_source_digest(PG_FUNCTION_ARGS) {
  text* spec_text = PG_GETARG_TEXT_PP(0);
  text* party = PG_GETARG_TEXT_PP(1);
  ArrayType* identifier = PG_GETARG_ARRAYTYPE_P(3);
  return pg::udf(fcinfo, [&] {
    const PinArguments given = arguments_of(fcinfo, spec_text, party, identifier);
    const Spec spec = read_spec(pg::text_of(spec_text));
    SourceDigest digest;
    const int controller = spec.party_index(pg::text_of(party));
    scan_source(given.bound, spec, controller, spec.controllers.at(static_cast<std::size_t>(controller)).columns(),
                [&](const Source& part) { digest.add(part); });
    return PointerGetDatum(pg::make_varlena(digest.finish()));
  });
}

Datum pg_mpc_commitment(PG_FUNCTION_ARGS) {
  text* committed = PG_GETARG_TEXT_PP(0);
  return pg::udf(fcinfo, [&] { return PointerGetDatum(pg::make_varlena(commitment_of(pg::text_of(committed)))); });
}

}  // namespace pgmpc
