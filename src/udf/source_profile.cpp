// Profiles a source, read as an engine reads it, for mpc.check_source and the notices of mpc.approve_study.
#include "udf/source_profile.h"

#include <algorithm>

#include "crypto/keyed_hash.h"
#include "study/column_problems.h"

// After the headers that are free of PostgreSQL.
#include "pg/arrays.h"
#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(pg_mpc_source_profile);
}

namespace pgmpc {
namespace {

int controller_of(const Spec& spec, std::string_view party) {
  const int index = spec.party_index(party);
  if (index != 0 && index != 1)
    throw Error(ErrorCode::invalid_parameter, "party \"" + std::string(party) + "\" is not a controller of the study",
                "Its controllers are " + spec.controllers[0].party + " and " + spec.controllers[1].party + ".");
  return index;
}

}  // namespace

SourceProfile::SourceProfile(const Spec& spec, int controller, const std::vector<std::string>& columns)
    : spec_(spec), controller_(controller), parts_(static_cast<std::size_t>(spec.identifier.parts)) {
  for (const std::string& name : columns) columns_.push_back({name, false, 0, {}});
}

void SourceProfile::add(const Source& part) {
  for (std::size_t r = 0; r < part.records(); r++) {
    const std::uint64_t begin = r == 0 ? 0 : part.identifier_ends[r - 1];
    const Hash hash = sha256(view_of(part.identifiers).subspan(begin, part.identifier_ends[r] - begin));
    std::array<std::uint8_t, 16>& kept = seen_.emplace_back();
    std::copy_n(hash.begin(), kept.size(), kept.begin());
    if (part.incomplete[r] != 0) continue;
    kept_++;
    for (std::size_t c = 0; c < columns_.size(); c++) columns_[c].summary.add(part.columns[c].values[r]);
  }
  for (std::size_t c = 0; c < columns_.size(); c++) {
    columns_[c].boolean = part.columns[c].binary;
    columns_[c].nulls = part.columns[c].nulls;
  }
  rows_ = part.rows;
  with_null_ = part.with_null;
  dropped_ = part.dropped;
  refused_ = part.refused;
}

std::int64_t SourceProfile::duplicates() {
  std::sort(seen_.begin(), seen_.end());
  std::int64_t repeated = 0;
  for (std::size_t i = 1; i < seen_.size(); i++) repeated += seen_[i] == seen_[i - 1];
  return repeated;
}

std::vector<std::string> SourceProfile::two_valued() const {
  std::vector<std::string> names;
  for (const Column& column : columns_)
    if (column.summary.two_valued()) names.push_back(column.name);
  return names;
}

Json SourceProfile::identifier_json(std::int64_t duplicates) const {
  Json out = {{"nulls", dropped_ - refused_}, {"duplicates", duplicates}, {"parts", Json::array()}};
  for (const PartProfile& part : parts_)
    out["parts"].push_back({{"records", part.records},
                            {"refused", part.refused_in_all()},
                            {"reasons", part.reasons()},
                            {"shortest", part.shortest},
                            {"longest", part.longest},
                            {"leading_zeros", part.leading_zeros},
                            {"blanks", part.blanks},
                            {"non_ascii", part.non_ascii},
                            {"shapes", part.shapes()}});
  return out;
}

Json SourceProfile::column_json(const Column& column) const {
  const ColumnSummary& summary = column.summary;
  Json out = {{"nulls", column.nulls}};
  if (summary.count() > 0) {
    out["minimum"] = summary.low();
    out["maximum"] = summary.high();
    out["mean"] = static_cast<double>(summary.mean());
    out["sd"] = static_cast<double>(summary.sd());
  }
  const std::string problem = column_problem(spec_, controller_, column.name, column.boolean, summary);
  if (!problem.empty()) out["problem"] = problem;
  return out;
}

std::string SourceProfile::json(std::int64_t duplicates) const {
  Json out = {{"rows", rows_},
              {"nulls", with_null_},
              {"refused", rows_ - with_null_ - kept_},
              {"kept", kept_},
              {"required", spec_.required_matches()},
              {"identifier", identifier_json(duplicates)},
              {"columns", Json::object()}};
  for (const Column& column : columns_) out["columns"][column.name] = column_json(column);
  return out.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace pgmpc

// Arguments: spec, party, source, columns of the identifier, columns to read. Returns JSON as text. Reads as the
// current user: members of mpc_study may call it, and read only what they could read anyway.
Datum pg_mpc_source_profile(PG_FUNCTION_ARGS) {
  using namespace pgmpc;
  text* spec_text = PG_GETARG_TEXT_PP(0);
  text* party = PG_GETARG_TEXT_PP(1);
  const Oid source = PG_GETARG_OID(2), role = GetUserId();
  ArrayType* identifier = PG_GETARG_ARRAYTYPE_P(3);
  ArrayType* names = PG_GETARG_ARRAYTYPE_P(4);
  return pg::udf(fcinfo, [&] {
    const Spec spec = read_spec(pg::text_of(spec_text));
    const std::vector<std::string> columns = pg::texts_of(names);
    const int controller = controller_of(spec, pg::text_of(party));
    SourceProfile profile(spec, controller, columns);
    scan_source(
        {source, pg::texts_of(identifier), role}, spec, controller, columns,
        [&](const Source& part) { profile.add(part); }, profile.see());
    return PointerGetDatum(pg::make_varlena(view_of(profile.json(profile.duplicates()))));
  });
}
