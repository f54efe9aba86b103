// Implements the checks of one column.
#include "study/column_problems.h"

#include <algorithm>

#include "study/columns.h"

namespace pgmpc {
namespace {

std::optional<int> agreed_exponent(const ControllerSpec& controller, const std::string& name) {
  const auto at = controller.scale_exponents.find(name);
  if (at == controller.scale_exponents.end()) return std::nullopt;
  return at->second;
}

// Returns why a run cannot encode the column. NaN and infinity have been counted before this.
std::string encoding_problem(const ColumnScale& scale) {
  const std::string agreed = " for the agreed scale exponent " + std::to_string(scale.exponent);
  switch (scale.problem) {
    case ColumnProblem::none:
    case ColumnProblem::not_finite:
      return "";
    case ColumnProblem::not_boolean:
      return "boolean with values other than 0 and 1";
    case ColumnProblem::magnitude:
      return "magnitude that cannot be encoded: choose another unit";
    case ColumnProblem::mean_too_large:
      return "mean too large for the spread: subtract a typical value";
    case ColumnProblem::varies_too_little:
      return "varies too little" + agreed;
    case ColumnProblem::value_too_large:
      return "values too large" + agreed;
  }
  return "";
}

// Tells whether some analysis refuses the study when a level of the column is rare. The others withhold their tables.
bool refuses(const Spec& spec, int controller, const std::string& name) {
  const std::vector<JoinedColumn> columns = joined_columns(spec);
  const auto has = [&](std::size_t k) { return columns[k].party == controller && columns[k].name == name; };
  return std::any_of(spec.analyses.begin(), spec.analyses.end(), [&](const AnalysisEntry& entry) {
    const AnalysisColumns& of = entry.columns;
    return entry.analysis->refuses_columns() &&
           ((of.outcome && has(*of.outcome)) || std::any_of(of.attributes.begin(), of.attributes.end(), has) ||
            std::any_of(of.left_out.begin(), of.left_out.end(), has));
  });
}

std::string rare_level(const Spec& spec, int controller, const std::string& name, const ColumnSummary& column) {
  const std::int64_t least = spec.disclosure.min_level_count;
  if (!column.two_valued() || column.rarer() >= least) return "";
  return "rows with the rarer of two values: " + std::to_string(column.rarer()) +
         (refuses(spec, controller, name)
              ? " (a run is refused when 1 to " + std::to_string(least - 1) + " matched rows have it)"
              : " (its tables are withheld when fewer than " + std::to_string(least) + " matched rows have it)");
}

// Returns what the first analysis of this outcome says when the outcome holds only 0 and 1.
std::string two_valued_outcome(const Spec& spec, int controller, const std::string& name, const ColumnSummary& column) {
  if (!column.holds_only_0_and_1()) return "";
  const std::vector<JoinedColumn> columns = joined_columns(spec);
  for (const AnalysisEntry& entry : spec.analyses) {
    if (!entry.columns.outcome) continue;
    const JoinedColumn& outcome = columns[*entry.columns.outcome];
    if (outcome.party == controller && outcome.name == name) return entry.analysis->two_valued_outcome();
  }
  return "";
}

}  // namespace

std::string column_problem(const Spec& spec, int controller, const std::string& name, bool boolean,
                           const ColumnSummary& column) {
  if (column.unusable() > 0)
    return "values that are NaN, infinite or beyond 1e100: " + std::to_string(column.unusable());
  if (column.count() == 0) return "";
  const ControllerSpec& own = spec.controllers.at(static_cast<std::size_t>(controller));
  const std::string encoding = encoding_problem(source_scale(column, boolean, agreed_exponent(own, name)));
  if (column.constant()) return "constant" + (encoding.empty() ? "" : "; " + encoding);
  std::string out;
  for (const std::string& problem :
       {encoding, rare_level(spec, controller, name, column), two_valued_outcome(spec, controller, name, column)})
    if (!problem.empty()) out += (out.empty() ? "" : "; ") + problem;
  return out;
}

}  // namespace pgmpc
