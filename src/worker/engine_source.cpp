// What: reading the source (engine_source.h).
// Invariants: what runs inside pg::call holds plain data only; values pass from the server's memory straight into
//             SecretVectors. The server's own copies (buffers, tuples) are those of any query on that table.
#include "worker/engine_source.h"

#include <limits>

#include "base/cleansing_heap.h"
#include "pg/error_context.h"
#include "pg/guard.h"
#include "pg/guarded_role.h"
#include "study/spec_identifier.h"

extern "C" {
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "pgstat.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace pgmpc {
namespace {

constexpr long kBatch = 1000;

// The transaction in which the source is read. Aborted unless commit() was reached.
class ReadTransaction {
 public:
  explicit ReadTransaction(Oid role) {
    try {
      pg::call([&] { begin(role); });
    } catch (...) {
      pg::call([] { AbortCurrentTransaction(); });
      throw;
    }
  }
  ~ReadTransaction() {
    if (committed_) return;
    try {
      pg::call([] { AbortCurrentTransaction(); });
    } catch (...) {
      // Nothing more can be done here: the error that brought us here is on its way.
    }
  }
  void commit() {
    pg::call([&] {
      pg::act_again_as(before_);
      SPI_finish();
      PopActiveSnapshot();
      CommitTransactionCommand();
      pgstat_report_stat(true);
      pgstat_report_activity(STATE_IDLE, nullptr);
    });
    committed_ = true;
  }

 private:
  void begin(Oid role) {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    XactIsoLevel = XACT_REPEATABLE_READ;
    XactReadOnly = true;
    pgstat_report_activity(STATE_RUNNING, "reading the source of a study");
    SPI_connect();
    PushActiveSnapshot(GetTransactionSnapshot());
    before_ = pg::act_as(role);
  }

  pg::GuardedRole before_{};
  bool committed_ = false;
};

std::string relation_name(Oid relation) {
  const char* name = pg::call([&]() -> const char* {
    char* table = get_rel_name(relation);
    if (table == nullptr) return nullptr;
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), table);
  });
  if (name == nullptr)
    throw Error(ErrorCode::undefined_object, "the source of the study does not exist any more", "",
                "Approve the study again with an existing table or view.");
  return name;
}

std::string quoted_name(const std::string& column) {
  return pg::call([&] { return quote_identifier(column.c_str()); });
}

Oid type_of(Oid relation, const std::string& column) {
  Oid type = pg::call([&] {
    AttrNumber number = get_attnum(relation, column.c_str());
    return number == InvalidAttrNumber ? InvalidOid : get_atttype(relation, number);
  });
  if (type == InvalidOid)
    throw Error(ErrorCode::undefined_object, "column \"" + column + "\" of the source does not exist");
  return type;
}

// A numeric that no float8 holds must not fail in the cast, whose message shows the value and not the column: it
// becomes infinite, which the encoding refuses by the column's name (like NaN); the tiniest become 0.
std::string float_expression(const std::string& column) {
  return "CASE WHEN " + column + " OPERATOR(pg_catalog.<) -1e308 OR " + column + " OPERATOR(pg_catalog.>) 1e308 " +
         "THEN 'infinity' WHEN pg_catalog.abs(" + column + ") OPERATOR(pg_catalog.<) 1e-300 THEN 0 ELSE " + column +
         "::pg_catalog.float8 END";
}

// The expression that makes a number of the column, and whether it is a 0/1 column.
std::string number_expression(Oid relation, SourceColumn& column) {
  Oid type = type_of(relation, column.name);
  char category = pg::call([&] {
    char kind;
    bool preferred;
    get_type_category_preferred(getBaseType(type), &kind, &preferred);
    return kind;
  });
  column.binary = category == TYPCATEGORY_BOOLEAN;
  std::string name = quoted_name(column.name);
  if (!column.binary && category != TYPCATEGORY_NUMERIC)
    throw Error(ErrorCode::data_exception,
                "column \"" + column.name + "\" of the source is neither numeric nor boolean");
  if (pg::call([&] { return getBaseType(type); }) == NUMERICOID) return float_expression(name);
  const char* cast = column.binary ? "::pg_catalog.bool::pg_catalog.int4" : "";
  return name + cast + "::pg_catalog.float8";
}

// The text of a part, the same under every setting (pg/fixed_settings.h), and what kind of text it is.
std::string part_expression(Oid relation, const std::string& part, PartType& type) {
  const Oid declared = type_of(relation, part);
  const Oid base = pg::call([&] { return getBaseType(declared); });
  const std::string name = quoted_name(part);
  type = PartType::text;
  switch (base) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
      type = PartType::number;
      break;
    case NUMERICOID:
      type = PartType::number;
      return "pg_catalog.trim_scale(" + name + "::pg_catalog.numeric)::pg_catalog.text";
    case FLOAT4OID:
    case FLOAT8OID:
      type = PartType::number;
      // By way of text: the cast from float8 rounds to 15 digits, a number of 16 would become that of another person.
      return "pg_catalog.trim_scale(" + name + "::pg_catalog.text::pg_catalog.numeric)::pg_catalog.text";
    case DATEOID:
    case TIMESTAMPOID:
    case TIMESTAMPTZOID:
      type = PartType::date;
      break;
    default:
      break;
  }
  return name + "::pg_catalog.text";
}

std::string query_of(Oid relation, std::vector<SourceColumn>& columns, const std::vector<std::string>& parts,
                     std::vector<PartType>& types) {
  std::string list;
  for (SourceColumn& column : columns) list += number_expression(relation, column) + ", ";
  for (std::size_t p = 0; p < parts.size(); p++)
    list += (p > 0 ? ", " : "") + part_expression(relation, parts[p], types[p]);
  return "SELECT " + list + " FROM " + relation_name(relation);
}

// One batch of rows as plain memory; valid until release().
struct Batch {
  std::size_t rows;
  double* numbers;   // rows * columns
  text** parts;      // rows * parts
  bool* complete;    // no NULL at all
  bool* identified;  // no NULL in the identifier; NULLs of columns are NaN
};

// Every node hashes the same bytes, whatever the encoding of its database.
text* in_utf8(text* part) {
  const int encoding = GetDatabaseEncoding();
  if (encoding == PG_UTF8) return part;
  const char* bytes = VARDATA_ANY(part);
  const auto size = static_cast<int>(VARSIZE_ANY_EXHDR(part));
  if (encoding == PG_SQL_ASCII && !std::all_of(bytes, bytes + size, [](char c) { return (c & 0x80) == 0; }))
    ereport(ERROR,
            (errcode(ERRCODE_UNTRANSLATABLE_CHARACTER), errmsg("an identifier has characters without an encoding"),
             errdetail("The database has the encoding SQL_ASCII, and the identifier bytes beyond ASCII."),
             errhint("Bind a view that converts it with convert_from to ASCII, or use a database in UTF8.")));
  char* converted = pg_server_to_any(bytes, size, PG_UTF8);
  return converted == bytes ? part : cstring_to_text(converted);
}

Batch fetch(Portal portal, std::size_t columns, std::size_t parts) {
  SPI_cursor_fetch(portal, true, kBatch);
  std::size_t rows = SPI_processed;
  Batch batch{rows, static_cast<double*>(palloc(sizeof(double) * (rows * columns + 1))),
              static_cast<text**>(palloc(sizeof(text*) * (rows * parts + 1))), static_cast<bool*>(palloc(rows + 1)),
              static_cast<bool*>(palloc(rows + 1))};
  for (std::size_t r = 0; r < rows; r++) {
    bool any_null = false, no_identifier = false;
    for (std::size_t c = 0; c < columns + parts; c++) {
      bool null = false;
      Datum value = SPI_getbinval(SPI_tuptable->vals[r], SPI_tuptable->tupdesc, static_cast<int>(c) + 1, &null);
      any_null = any_null || null;
      no_identifier = no_identifier || (null && c >= columns);
      if (null) {
        if (c < columns) batch.numbers[r * columns + c] = std::numeric_limits<double>::quiet_NaN();
        continue;
      }
      if (c < columns)
        batch.numbers[r * columns + c] = DatumGetFloat8(value);
      else
        batch.parts[r * parts + (c - columns)] = in_utf8(DatumGetTextPP(value));
    }
    batch.complete[r] = !any_null;
    batch.identified[r] = !no_identifier;
  }
  return batch;
}

void release(const Batch& batch, std::size_t columns) {
  explicit_bzero(batch.numbers, sizeof(double) * batch.rows * columns);
  pfree(batch.numbers);
  pfree(batch.parts);
  pfree(batch.complete);
  pfree(batch.identified);
  SPI_freetuptable(SPI_tuptable);
}

// The record's identifier, or nothing when it is refused; what was seen is counted.
std::optional<SecretBytes> identifier_of(Source& source, const Batch& batch, std::size_t row,
                                         const IdentifierSpec& identifier, std::span<const PartType> types,
                                         const SeePart& see) {
  std::vector<SecretBytes> parts;
  std::vector<Refusal> refusals(types.size());
  for (std::size_t p = 0; p < types.size(); p++) {
    const ByteView raw = pg::bytes_of(batch.parts[row * types.size() + p]);
    parts.emplace_back(raw.begin(), raw.end());
  }
  auto bytes = normalised_identifier(identifier, std::move(parts), types, refusals);
  if (!bytes) source.refused++;
  if (see)
    for (std::size_t p = 0; p < types.size(); p++)
      see(p, pg::bytes_of(batch.parts[row * types.size() + p]), refusals[p]);
  return bytes;
}

void append_record(Source& source, const Batch& batch, std::size_t row, const IdentifierSpec& identifier,
                   std::span<const PartType> types, bool keep_incomplete, const SeePart& see) {
  std::optional<SecretBytes> bytes;
  if (batch.complete[row] || (keep_incomplete && batch.identified[row]))
    bytes = identifier_of(source, batch, row, identifier, types, see);
  if (!bytes) {
    source.dropped++;
    return;
  }
  std::size_t columns = source.columns.size();
  for (std::size_t c = 0; c < columns; c++) source.columns[c].values.push_back(batch.numbers[row * columns + c]);
  source.identifiers.insert(source.identifiers.end(), bytes->begin(), bytes->end());
  source.identifier_ends.push_back(source.identifiers.size());
  if (keep_incomplete) source.incomplete.push_back(batch.complete[row] ? 0 : 1);
}

// The server keeps the first block of deleted memory contexts at hand, with the rows that were in it: takes them all
// out, overwrites them and puts them back.
void overwrite_spare_contexts() {
  constexpr int kMostKept = 100;  // of one size (aset.c)
  constexpr Size kChunk = 16;
  const struct {
    Size minimum, initial;
  } kinds[] = {{ALLOCSET_DEFAULT_MINSIZE, ALLOCSET_DEFAULT_INITSIZE},
               {ALLOCSET_SMALL_MINSIZE, ALLOCSET_SMALL_INITSIZE}};
  MemoryContext all = AllocSetContextCreate(TopMemoryContext, "pg_mpc spare contexts", ALLOCSET_DEFAULT_SIZES);
  for (const auto& kind : kinds)
    for (int i = 0; i <= kMostKept; i++) {
      MemoryContext context =
          AllocSetContextCreateInternal(all, "pg_mpc spare context", kind.minimum, kind.initial, kind.initial);
      // Small chunks, each behind a header of its own, until a second block was needed: the first is full.
      while (MemoryContextMemAllocated(context, false) <= kind.initial) {
        void* chunk = MemoryContextAlloc(context, kChunk);
        explicit_bzero(chunk, kChunk);
      }
    }
  MemoryContextDelete(all);
}

void forget_records(Source& source) {
  for (SourceColumn& column : source.columns) column.values.wipe();
  source.identifiers.wipe();
  source.identifier_ends.clear();
  source.incomplete.clear();
}

// Appends every complete record to the source, also others that have an identifier when asked to; after_batch may take
// them out again.
void fill(Source& source, const BoundSource& bound, const IdentifierSpec& identifier,
          const std::vector<std::string>& columns, bool keep_incomplete, const std::function<void()>& after_batch,
          const SeePart& see) {
  for (const std::string& name : columns) {
    source.columns.emplace_back();
    source.columns.back().name = name;
  }
  if (bound.identifier.size() != static_cast<std::size_t>(identifier.parts))
    throw Error(ErrorCode::invalid_parameter, "number of identifier columns differs from the spec",
                "The spec has identifier.parts " + std::to_string(identifier.parts) + ", given are " +
                    std::to_string(bound.identifier.size()) + ".");
  std::vector<PartType> types(bound.identifier.size());
  std::string sql = query_of(bound.relation, source.columns, bound.identifier, types);
  Portal portal = pg::call([&] {
    SPIPlanPtr plan = SPI_prepare(sql.c_str(), 0, nullptr);
    if (plan == nullptr) elog(ERROR, "SPI failed: %s", SPI_result_code_string(SPI_result));
    return SPI_cursor_open(nullptr, plan, nullptr, nullptr, true);
  });
  std::size_t parts = bound.identifier.size();
  for (;;) {
    Batch batch = pg::call([&] { return fetch(portal, source.columns.size(), parts); });
    if (batch.rows == 0) break;
    for (std::size_t r = 0; r < batch.rows; r++)
      append_record(source, batch, r, identifier, types, keep_incomplete, see);
    pg::call([&] { release(batch, source.columns.size()); });
    if (after_batch) after_batch();
  }
  pg::call([&] { SPI_cursor_close(portal); });
}

// Code that the source calls may find its names in its owner's sessions and not here.
template <typename F>
void explain_names(F&& body) {
  try {
    body();
  } catch (const pg::ServerError& error) {
    if (!pg::may_need_search_path(error.sqlstate()) || error.hint() == pg::kSearchPathHint) throw;
    throw pg::ServerError(error.sqlstate(), error.message(), error.detail(), pg::kSearchPathHint, error.context());
  }
}

// Says in errors where code of the extension begins.
class SourceMark {
 public:
  SourceMark() { pg::mark_source(&callback_); }
  ~SourceMark() { error_context_stack = callback_.previous; }
  SourceMark(const SourceMark&) = delete;
  SourceMark& operator=(const SourceMark&) = delete;

 private:
  ErrorContextCallback callback_{};
};

}  // namespace

Source read_source(const Json& job, const Spec& spec) {
  const Json& json = job.at("source");
  BoundSource bound{json.at("relation").get<Oid>(), json.at("identifier").get<std::vector<std::string>>(),
                    json.at("approver").get<Oid>()};
  Source source;
  ReadTransaction transaction(bound.approver);
  const auto& controller = spec.controllers.at(job.at("party_index").get<std::size_t>());
  explain_names([&] { fill(source, bound, spec.identifier, controller.columns(), false, nullptr, nullptr); });
  transaction.commit();
  pg::call([] { overwrite_spare_contexts(); });
  cleanse_stack();
  return source;
}

void scan_source(const BoundSource& bound, const IdentifierSpec& identifier, const std::vector<std::string>& columns,
                 const std::function<void(const Source& part)>& take, const SeePart& see) {
  pg::GuardedRole before = pg::call([&] {
    SPI_connect();
    return pg::act_as(bound.approver);
  });
  Source part;
  const auto after_batch = [&] {
    take(part);
    forget_records(part);
    pg::check_for_interrupts();
  };
  {
    SourceMark mark;
    explain_names([&] { fill(part, bound, identifier, columns, true, after_batch, see); });
  }
  pg::call([&] {
    pg::act_again_as(before);
    SPI_finish();
  });
}

}  // namespace pgmpc
