// Computes figures of the design matrix that a query returns, one float8[] per row (disclosure/own_design.h). Only
// functions of the extension's owner call it.
#include <limits>
#include <optional>

#include "base/error.h"
#include "disclosure/own_design.h"
#include "pg/guard.h"
#include "pg/row.h"

extern "C" {
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(pg_mpc_design_figures);
}

namespace pgmpc {
namespace {

constexpr long kBatch = 1000;

// One row in plain memory.
struct Row {
  Datum* values;
  bool* nulls;
  int count;
};

Row row_of(std::uint64_t index) {
  bool null;
  Datum value = SPI_getbinval(SPI_tuptable->vals[index], SPI_tuptable->tupdesc, 1, &null);
  Row row{nullptr, nullptr, 0};
  if (!null)
    deconstruct_array(DatumGetArrayTypeP(value), FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
                      &row.values, &row.nulls, &row.count);
  return row;
}

DesignFigures figures_of(const char* query) {
  std::optional<DesignCheck> check;
  std::vector<double> record;
  pg::call([] { SPI_connect(); });
  SPIPlanPtr plan = pg::call([&] {
    SPIPlanPtr prepared = SPI_prepare(query, 0, nullptr);
    if (prepared == nullptr) elog(ERROR, "SPI failed: %s", SPI_result_code_string(SPI_result));
    return prepared;
  });
  for (int pass = 0; pass < DesignCheck::kPasses; pass++) {
    Portal portal = pg::call([&] { return SPI_cursor_open(nullptr, plan, nullptr, nullptr, true); });
    for (;;) {
      const std::uint64_t rows = pg::call([&] {
        SPI_cursor_fetch(portal, true, kBatch);
        return static_cast<std::uint64_t>(SPI_processed);
      });
      if (rows == 0) break;
      for (std::uint64_t r = 0; r < rows; r++) {
        const Row row = pg::call([&] { return row_of(r); });
        record.resize(static_cast<std::size_t>(row.count));
        for (int i = 0; i < row.count; i++)
          record[static_cast<std::size_t>(i)] =
              row.nulls[i] ? std::numeric_limits<double>::quiet_NaN() : DatumGetFloat8(row.values[i]);
        if (!check) check.emplace(record.size());
        check->add(record);
        pg::call([&] {
          pfree(row.values);
          pfree(row.nulls);
        });
      }
      pg::call([] { SPI_freetuptable(SPI_tuptable); });
      pg::check_for_interrupts();
    }
    pg::call([&] { SPI_cursor_close(portal); });
    if (check) check->end_pass();
  }
  pg::call([] { SPI_finish(); });
  return check ? check->figures() : DesignFigures{};
}

}  // namespace
}  // namespace pgmpc

// Returns (records bigint, columns integer, max_leverage float8, sum_squares float8, max_vif float8).
Datum pg_mpc_design_figures(PG_FUNCTION_ARGS) {
  TupleDesc type = pgmpc::pg::row_type(fcinfo);
  char* query = text_to_cstring(PG_GETARG_TEXT_PP(0));
  pgmpc::DesignFigures figures = pgmpc::pg::udf([&] { return pgmpc::figures_of(query); });
  bool nulls[5] = {false, false, false, false, false};
  Datum values[5] = {Int64GetDatum(figures.records), Int32GetDatum(figures.columns),
                     Float8GetDatum(figures.max_leverage), Float8GetDatum(figures.sum_squares),
                     Float8GetDatum(figures.max_vif)};
  return HeapTupleGetDatum(heap_form_tuple(type, values, nulls));
}
