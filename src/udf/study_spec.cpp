// Gives SQL the core's functions on specs: canonical form, digest, first difference, explanation, check of a result.
//
// Security
// These functions see specs and results to be checked, never source data or tables.
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "json/depth.h"
#include "pg/arrays.h"
#include "pg/encoding.h"
#include "pg/guard.h"
#include "pg/version.h"
#include "study/columns.h"
#include "study/disclosure.h"
#include "study/explain.h"
#include "study/explain_estimate.h"
#include "study/explain_text.h"
#include "study/result_check.h"
#include "study/spec.h"

extern "C" {
#include "common/string.h"
}

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_fill_spec);
PG_FUNCTION_INFO_V1(pg_mpc_parse_spec);
PG_FUNCTION_INFO_V1(pg_mpc_releases_of);
PG_FUNCTION_INFO_V1(pg_mpc_accepts_result);
PG_FUNCTION_INFO_V1(pg_mpc_study_digest);
PG_FUNCTION_INFO_V1(pg_mpc_require_feasible);
PG_FUNCTION_INFO_V1(pg_mpc_spec_difference);
PG_FUNCTION_INFO_V1(pg_mpc_explain_spec);
PG_FUNCTION_INFO_V1(pg_mpc_explain_spec_text);
PG_FUNCTION_INFO_V1(pg_mpc_check_two_valued);
PG_FUNCTION_INFO_V1(pg_mpc_charged_numbers);
}

namespace {

constexpr int kExplainColumns = 12, kTextColumns = 2, kReleaseColumns = 6;

// Rows of an answer in plain memory, for use after C++ has been left. NULL is nullptr.
struct CellTable {
  int rows, columns;
  char** cells;  // one row after the other
};

CellTable empty_cells(std::size_t rows, int columns) {
  const std::size_t cells = rows * static_cast<std::size_t>(columns);
  return {static_cast<int>(rows), columns,
          pg::call([&] { return static_cast<char**>(palloc0((cells + 1) * sizeof(char*))); })};
}

// Puts the rows into the materialised result of the function.
void put_rows(FunctionCallInfo fcinfo, const CellTable& table) {
  ReturnSetInfo* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  AttInMetadata* columns = TupleDescGetAttInMetadata(result->setDesc);
  for (int i = 0; i < table.rows; ++i)
    tuplestore_puttuple(result->setResult, BuildTupleFromCStrings(columns, table.cells + i * table.columns));
}

Datum text_datum(std::string_view text) { return PointerGetDatum(pg::make_varlena(view_of(text))); }

char* text_or_null(const std::string& text) { return text.empty() ? nullptr : pg::make_cstring(text); }

char* number_or_null(const std::optional<std::int64_t>& number) {
  return number ? pg::make_cstring(std::to_string(*number)) : nullptr;
}

char* seconds_or_null(const std::optional<double>& seconds) {
  if (!seconds) return nullptr;
  char text[40];
  snprintf(text, sizeof(text), "%.3g", *seconds);
  return pg::make_cstring(text);
}

// Returns the input text of a text[].
std::string array_literal(const std::vector<std::string>& elements) {
  std::string literal = "{";
  for (const std::string& element : elements) {
    if (literal.size() > 1) literal += ',';
    literal += '"';
    for (char c : element) {
      if (c == '"' || c == '\\') literal += '\\';
      literal += c;
    }
    literal += '"';
  }
  return literal + "}";
}

void fill_row(char** cells, const ExplainRow& row) {
  cells[0] = pg::make_cstring(std::to_string(row.step));
  cells[1] = text_or_null(row.name);
  cells[2] = text_or_null(row.party);
  cells[3] = text_or_null(row.peer);
  cells[4] = text_or_null(row.sends);
  cells[5] = text_or_null(row.learns);
  cells[6] = number_or_null(row.records);
  cells[7] = number_or_null(row.bytes);
  cells[8] = number_or_null(row.rounds);
  cells[9] = seconds_or_null(row.seconds);
  cells[10] = text_or_null(row.data_status);
  cells[11] = pg::make_cstring(array_literal(row.destroyed));
}

CellTable explain_table(std::string_view spec_text, std::string_view party,
                        const std::optional<std::int64_t>& own_records) {
  Spec spec = read_spec(spec_text);
  std::vector<ExplainRow> rows = explain(spec, spec.party_index(party), own_records);
  CellTable table = empty_cells(rows.size(), kExplainColumns);
  for (std::size_t i = 0; i < rows.size(); ++i) fill_row(table.cells + i * kExplainColumns, rows[i]);
  return table;
}

CellTable explain_text_table(std::string_view spec_text) {
  const std::vector<PartyText> texts = explain_text(read_spec(spec_text));
  CellTable table = empty_cells(texts.size(), kTextColumns);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    table.cells[i * kTextColumns] = text_or_null(texts[i].party);
    table.cells[i * kTextColumns + 1] = text_or_null(texts[i].text);
  }
  return table;
}

CellTable release_table(std::string_view spec_text) {
  const Spec spec = read_spec(spec_text);
  const std::vector<JoinedColumn> columns = joined_columns(spec);
  CellTable table = empty_cells(spec.analyses.size(), kReleaseColumns);
  char** cells = table.cells;
  for (const AnalysisEntry& entry : spec.analyses) {
    cells[0] = pg::make_cstring(entry.name);
    cells[1] = pg::make_cstring(entry.analysis->kind());
    if (entry.columns.outcome) {
      const JoinedColumn& outcome = columns[*entry.columns.outcome];
      cells[2] = pg::make_cstring(spec.party_name(outcome.party) + "." + outcome.name);
    }
    cells[3] = pg::make_cstring(std::to_string(entry.analysis->models()));
    cells[4] = pg::make_cstring(std::to_string(entry.analysis->numbers_of_model(entry.columns)));
    cells[5] = pg::make_cstring(array_literal(entry.analysis->opened()));
    cells += kReleaseColumns;
  }
  return table;
}

// Refuses a study whose result the SQL of version 0.2.0 and before cannot store.
void require_old_result(const Spec& spec) {
  if (spec.analyses.size() == 1 && !spec.analyses[0].attributes && spec.outcome_count() == 1 &&
      spec.reference_count() == 0)
    return;
  throw Error(ErrorCode::not_supported, "the extension in this database is too old for this study",
              "It has several analyses or outcomes, an analysis of some attributes, or attributes with levels.",
              pg::kVersionHint);
}

void require_encodable(const std::string& canonical) {
  if (GetDatabaseEncoding() == PG_UTF8 || pg_is_ascii(canonical.c_str())) return;
  throw Error(ErrorCode::invalid_parameter, "study spec has characters beyond ASCII",
              std::string("The database of this node has the encoding ") + GetDatabaseEncodingName() + ".",
              "Write codes and examples without accents, or use databases in UTF8 on all nodes.");
}

Datum canonical_text(const char* spec, bool old) {
  const Spec filled = parse_spec(spec);
  if (old) require_old_result(filled);
  require_encodable(filled.canonical_json);
  return text_datum(filled.canonical_json);
}

}  // namespace

// Specs are UTF-8 everywhere. A database in another encoding holds only their ASCII without loss.
Datum pg_mpc_fill_spec(PG_FUNCTION_ARGS) {
  const char* utf8 = pg::from_server(text_to_cstring(PG_GETARG_TEXT_PP(0)));
  return pg::udf(fcinfo, [&] { return canonical_text(utf8, false); });
}

// Called by the SQL of version 0.2.0 and before.
Datum pg_mpc_parse_spec(PG_FUNCTION_ARGS) {
  const char* utf8 = pg::from_server(text_to_cstring(PG_GETARG_TEXT_PP(0)));
  return pg::udf(fcinfo, [&] { return canonical_text(utf8, true); });
}

Datum pg_mpc_releases_of(PG_FUNCTION_ARGS) {
  text* spec = PG_GETARG_TEXT_PP(0);
  InitMaterializedSRF(fcinfo, 0);
  put_rows(fcinfo, pg::udf([&] { return release_table(pg::text_of(spec)); }));
  return static_cast<Datum>(0);
}

// Returns false when an argument is NULL.
Datum pg_mpc_accepts_result(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2)) PG_RETURN_BOOL(false);
  text* spec = PG_GETARG_TEXT_PP(0);
  const std::int64_t matched = PG_GETARG_INT64(1);
  text* result = PG_GETARG_TEXT_PP(2);
  return pg::udf(fcinfo, [&] {
    const std::string_view given = pg::text_of(result);
    if (json_too_deep(view_of(given))) return BoolGetDatum(false);
    const auto json = nlohmann::json::parse(given, nullptr, false);
    return BoolGetDatum(accepts_result(read_spec(pg::text_of(spec)), matched, json));
  });
}

// The second argument: {"PARTY": ["COLUMN", ...] or null, ...}, made by SQL of this extension.
Datum pg_mpc_check_two_valued(PG_FUNCTION_ARGS) {
  text* spec = PG_GETARG_TEXT_PP(0);
  text* approved = PG_GETARG_TEXT_PP(1);
  return pg::udf(fcinfo, [&] {
    std::map<std::string, std::set<std::string>> two_valued;
    const auto lists = nlohmann::json::parse(pg::text_of(approved));
    for (const auto& [party, names] : lists.items())
      if (!names.is_null()) two_valued[party] = names.get<std::set<std::string>>();
    check_two_valued(read_spec(pg::text_of(spec)), two_valued);
    return Datum(0);
  });
}

Datum pg_mpc_charged_numbers(PG_FUNCTION_ARGS) {
  text* spec = PG_GETARG_TEXT_PP(0);
  ArrayType* before = PG_GETARG_ARRAYTYPE_P(1);
  return pg::udf(fcinfo, [&] {
    const std::vector<std::string> names = pg::texts_of(before);
    return Int64GetDatum(charged_numbers(read_spec(pg::text_of(spec)), {names.begin(), names.end()}));
  });
}

Datum pg_mpc_study_digest(PG_FUNCTION_ARGS) {
  text* study = PG_GETARG_TEXT_PP(0);
  text* spec = PG_GETARG_TEXT_PP(1);
  return pg::udf(fcinfo, [&] { return text_datum(study_digest(pg::text_of(study), read_spec(pg::text_of(spec)))); });
}

Datum pg_mpc_require_feasible(PG_FUNCTION_ARGS) {
  text* spec = PG_GETARG_TEXT_PP(0);
  return pg::udf(fcinfo, [&] {
    require_feasible(read_spec(pg::text_of(spec)));
    return Datum(0);
  });
}

Datum pg_mpc_spec_difference(PG_FUNCTION_ARGS) {
  text* one = PG_GETARG_TEXT_PP(0);
  text* other = PG_GETARG_TEXT_PP(1);
  return pg::udf(fcinfo, [&] { return text_datum(first_difference(pg::text_of(one), pg::text_of(other))); });
}

// Serves two SQL functions, both STRICT: without and with this node's own number of records.
Datum pg_mpc_explain_spec(PG_FUNCTION_ARGS) {
  text* spec = PG_GETARG_TEXT_PP(0);
  text* party = PG_GETARG_TEXT_PP(1);
  const bool counted = PG_NARGS() > 2;
  const std::int64_t records = counted ? PG_GETARG_INT64(2) : 0;
  InitMaterializedSRF(fcinfo, 0);
  put_rows(fcinfo, pg::udf([&] {
             return explain_table(pg::text_of(spec), pg::text_of(party),
                                  counted ? std::optional(records) : std::nullopt);
           }));
  return static_cast<Datum>(0);
}

Datum pg_mpc_explain_spec_text(PG_FUNCTION_ARGS) {
  text* spec = PG_GETARG_TEXT_PP(0);
  InitMaterializedSRF(fcinfo, 0);
  put_rows(fcinfo, pg::udf([&] { return explain_text_table(pg::text_of(spec)); }));
  return static_cast<Datum>(0);
}

}  // namespace pgmpc
