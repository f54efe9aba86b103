// Implements run_sql.
//
// Invariants
// Code inside pg::call holds plain C data only. Its results are malloc'ed, because they outlive the transaction's
// memory.
#include "pg/spi.h"

#include "pg/encoding.h"
#include "pg/guard.h"

extern "C" {
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "pgstat.h"
#include "utils/snapmgr.h"
}

namespace pgmpc::pg {
namespace {

// Rows as malloc'ed C strings, one row after the other.
struct RawRows {
  char** cells = nullptr;
  std::size_t rows = 0, columns = 0;
  ~RawRows() {
    for (std::size_t i = 0; i < rows * columns; i++) free(cells[i]);
    free(cells);
  }
};

// Copies the rows of the last SPI command out of the transaction's memory.
void keep_rows(RawRows* out) {
  if (SPI_tuptable == nullptr || SPI_processed == 0) return;
  std::size_t rows = SPI_processed, columns = SPI_tuptable->tupdesc->natts;
  out->cells = static_cast<char**>(calloc(rows * columns, sizeof(char*)));
  if (out->cells == nullptr) ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
  out->rows = rows;
  out->columns = columns;
  for (std::size_t i = 0; i < rows * columns; i++) {
    char* cell =
        SPI_getvalue(SPI_tuptable->vals[i / columns], SPI_tuptable->tupdesc, static_cast<int>(i % columns) + 1);
    if (cell != nullptr) out->cells[i] = strdup(from_server(cell));
  }
}

void execute(const char* sql, int count, const char* const* values, RawRows* out) {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  // Independent of the defaults of the server, the database and the owner's role.
  XactIsoLevel = XACT_READ_COMMITTED;
  XactDeferrable = false;
  if (!RecoveryInProgress()) XactReadOnly = false;
  SPI_connect();
  PushActiveSnapshot(GetTransactionSnapshot());
  pgstat_report_activity(STATE_RUNNING, sql);
  Oid* types = static_cast<Oid*>(palloc0((count + 1) * sizeof(Oid)));
  Datum* datums = static_cast<Datum*>(palloc0((count + 1) * sizeof(Datum)));
  char* nulls = static_cast<char*>(palloc0(count + 1));
  for (int i = 0; i < count; i++) {
    types[i] = TEXTOID;
    nulls[i] = values[i] == nullptr ? 'n' : ' ';
    if (values[i] != nullptr) datums[i] = CStringGetTextDatum(to_server(values[i]));
  }
  int code = SPI_execute_with_args(sql, count, types, datums, nulls, false, 0);
  if (code < 0) elog(ERROR, "SPI failed: %s", SPI_result_code_string(code));
  keep_rows(out);
  SPI_finish();
  PopActiveSnapshot();
  CommitTransactionCommand();
}

void abort_and_report() {
  AbortCurrentTransaction();
  MemoryContextSwitchTo(TopMemoryContext);
}

}  // namespace

SqlResult run_sql(const char* sql, const std::vector<SqlValue>& parameters) {
  std::vector<const char*> values;
  for (const SqlValue& value : parameters) values.push_back(value ? value->c_str() : nullptr);
  SqlResult result;
  RawRows raw;
  call([] { MemoryContextSwitchTo(TopMemoryContext); });
  try {
    call([&] { execute(sql, static_cast<int>(values.size()), values.data(), &raw); });
    for (std::size_t r = 0; r < raw.rows; r++) {
      std::vector<SqlValue>& row = result.rows.emplace_back();
      for (std::size_t c = 0; c < raw.columns; c++) {
        const char* cell = raw.cells[r * raw.columns + c];
        row.push_back(cell == nullptr ? SqlValue() : SqlValue(cell));
      }
    }
  } catch (const ServerError& error) {
    result.error = error_fields(error);
    call([] { abort_and_report(); });
  }
  call([] {
    pgstat_report_stat(true);
    pgstat_report_activity(STATE_IDLE, nullptr);
  });
  return result;
}

}  // namespace pgmpc::pg
