// Implements reading of the source.
//
// Invariants
// Code inside pg::call holds plain data only.
//
// Security
// Values go from the server's memory straight into SecretVectors. The server's own copies (buffers, tuples) are those
// of any query on that table.
#include "worker/engine_source.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/cleansing_heap.h"
#include "pg/error_context.h"
#include "pg/guard.h"
#include "pg/guarded_role.h"
#include "study/levels.h"
#include "study/spec_identifier.h"
#include "worker/source_query.h"

extern "C" {
#include "access/xact.h"
#include "executor/spi.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace pgmpc {
namespace {

constexpr long kBatch = 1000;

// The transaction in which the source is read. Aborts unless commit() is reached.
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
      // Nothing more can be done here: the error that led here is being thrown.
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

// One batch of rows in plain memory; valid until release().
struct Batch {
  std::size_t rows;
  double* numbers;      // rows * columns
  text** parts;         // rows * parts
  bool* complete;       // no NULL at all
  bool* identified;     // no NULL in the identifier; NULLs of columns are NaN
  std::int64_t* nulls;  // per column
};

// Converts a part to UTF-8. Every node hashes the same bytes, whatever the encoding of its database.
text* in_utf8(text* part) {
  const int encoding = GetDatabaseEncoding();
  if (encoding == PG_UTF8) return part;
  const char* bytes = VARDATA_ANY(part);
  const auto size = static_cast<int>(VARSIZE_ANY_EXHDR(part));
  if (encoding == PG_SQL_ASCII && !std::all_of(bytes, bytes + size, [](char c) { return (c & 0x80) == 0; }))
    ereport(ERROR,
            (errcode(ERRCODE_UNTRANSLATABLE_CHARACTER), errmsg("an identifier has characters of unknown encoding"),
             errdetail("The encoding of the database is SQL_ASCII, and the identifier has bytes beyond ASCII."),
             errhint("Bind a view that converts it with convert_from to ASCII, or use a database in UTF8.")));
  char* converted = pg_server_to_any(bytes, size, PG_UTF8);
  return converted == bytes ? part : cstring_to_text(converted);
}

Batch fetch(Portal portal, std::size_t columns, std::size_t parts) {
  SPI_cursor_fetch(portal, true, kBatch);
  std::size_t rows = SPI_processed;
  Batch batch{rows,
              static_cast<double*>(palloc(sizeof(double) * (rows * columns + 1))),
              static_cast<text**>(palloc(sizeof(text*) * (rows * parts + 1))),
              static_cast<bool*>(palloc(rows + 1)),
              static_cast<bool*>(palloc(rows + 1)),
              static_cast<std::int64_t*>(palloc0(sizeof(std::int64_t) * (columns + 1)))};
  for (std::size_t r = 0; r < rows; r++) {
    bool any_null = false, no_identifier = false;
    for (std::size_t c = 0; c < columns + parts; c++) {
      bool null = false;
      Datum value = SPI_getbinval(SPI_tuptable->vals[r], SPI_tuptable->tupdesc, static_cast<int>(c) + 1, &null);
      any_null = any_null || null;
      no_identifier = no_identifier || (null && c >= columns);
      if (null) {
        if (c < columns) {
          batch.numbers[r * columns + c] = std::numeric_limits<double>::quiet_NaN();
          batch.nulls[c]++;
        }
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
  pfree(batch.nulls);
  SPI_freetuptable(SPI_tuptable);
}

// Returns the record's identifier, or nothing when it is refused. Counts what it sees.
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

// The query gives infinity for a value that is none of the levels.
void count_undeclared(Source& source, const Batch& batch) {
  const std::size_t columns = source.columns.size();
  for (std::size_t c = 0; c < columns; c++) {
    if (!level_of(source.columns[c].name)) continue;
    for (std::size_t r = 0; r < batch.rows; r++)
      source.columns[c].undeclared += std::isinf(batch.numbers[r * columns + c]);
  }
}

// Refuses values that are none of the declared levels.
void require_levels(const Source& source, const ControllerSpec& own) {
  for (const SourceColumn& column : source.columns) {
    if (column.undeclared == 0) continue;
    const std::string name = level_of(column.name)->attribute;
    std::string levels;
    for (const std::string& level : own.levels_of(name)) levels += (levels.empty() ? "" : ", ") + quoted_level(level);
    throw Error(ErrorCode::invalid_parameter,
                "attribute \"" + name + "\" of the source has values that are not among its levels",
                "Rows with such a value: " + std::to_string(column.undeclared) + ". The levels are " + levels + ".",
                "Bind a view that turns other values into levels or NULL, or propose the study with all levels.");
  }
}

void count_rows(Source& source, const Batch& batch) {
  count_undeclared(source, batch);
  source.rows += static_cast<std::int64_t>(batch.rows);
  source.with_null += std::count(batch.complete, batch.complete + batch.rows, false);
  for (std::size_t c = 0; c < source.columns.size(); c++) source.columns[c].nulls += batch.nulls[c];
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

// The server caches the first block of deleted memory contexts, with the rows that were in it. Takes all these blocks
// out of the cache, overwrites them and puts them back.
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
      // Allocates small chunks, each with its own header, until a second block is needed: then the first is full.
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

// Appends every complete record to the source. With keep_incomplete, also appends others that have an identifier.
// after_batch may remove the records.
void fill(Source& source, const BoundSource& bound, const Spec& spec, const ControllerSpec& own,
          const std::vector<std::string>& columns, bool keep_incomplete, const std::function<void()>& after_batch,
          const SeePart& see) {
  const IdentifierSpec& identifier = spec.identifier;
  for (const std::string& name : columns) {
    source.columns.emplace_back();
    source.columns.back().name = name;
  }
  if (bound.identifier.size() != static_cast<std::size_t>(identifier.parts))
    throw Error(ErrorCode::invalid_parameter, "number of identifier columns differs from the spec",
                "The spec has identifier.parts " + std::to_string(identifier.parts) + ", given are " +
                    std::to_string(bound.identifier.size()) + ".");
  std::vector<PartType> types(bound.identifier.size());
  std::string sql = source_query(bound.relation, own, source.columns, bound.identifier, types);
  Portal portal = pg::call([&] {
    SPIPlanPtr plan = SPI_prepare(sql.c_str(), 0, nullptr);
    if (plan == nullptr) elog(ERROR, "SPI failed: %s", SPI_result_code_string(SPI_result));
    return SPI_cursor_open(nullptr, plan, nullptr, nullptr, true);
  });
  std::size_t parts = bound.identifier.size();
  for (;;) {
    Batch batch = pg::call([&] { return fetch(portal, source.columns.size(), parts); });
    if (batch.rows == 0) break;
    count_rows(source, batch);
    for (std::size_t r = 0; r < batch.rows; r++)
      append_record(source, batch, r, identifier, types, keep_incomplete, see);
    pg::call([&] { release(batch, source.columns.size()); });
    if (after_batch) after_batch();
  }
  pg::call([&] { SPI_cursor_close(portal); });
  require_levels(source, own);
}

// Adds a hint to errors about names: code that the source calls may find its names only in its owner's sessions.
template <typename F>
void explain_names(F&& body) {
  try {
    body();
  } catch (const pg::ServerError& error) {
    if (!pg::may_need_search_path(error.sqlstate()) || error.hint() == pg::kSearchPathHint) throw;
    throw pg::ServerError(error.sqlstate(), error.message(), error.detail(), pg::kSearchPathHint, error.context());
  }
}

// Marks in errors where code of the extension begins.
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
  explain_names([&] { fill(source, bound, spec, controller, controller.columns(), false, nullptr, nullptr); });
  transaction.commit();
  pg::call([] { overwrite_spare_contexts(); });
  cleanse_stack();
  return source;
}

void scan_source(const BoundSource& bound, const Spec& spec, int controller, const std::vector<std::string>& columns,
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
    const ControllerSpec& own = spec.controllers.at(static_cast<std::size_t>(controller));
    explain_names([&] { fill(part, bound, spec, own, columns, true, after_batch, see); });
  }
  pg::call([&] {
    pg::act_again_as(before);
    SPI_finish();
  });
}

}  // namespace pgmpc
