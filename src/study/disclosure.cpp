// Implements the texts of the disclosure rules and the limit of released numbers.
#include "study/disclosure.h"

#include <map>

#include "disclosure/row_rules.h"
#include "json/canonical_json.h"
#include "study/columns.h"

namespace pgmpc {

namespace {
constexpr const char* kDefaultNumbers = "a tenth of the matched records (at most 100)";

std::string or_off(const std::optional<double>& value) { return value ? canonical_number(*value) : "off"; }

// Adds the rules that came with format 2: about the joint design, one party's data over all studies, and precision.
void add_later_rules(std::vector<DisclosureRule>& rules, const Spec& spec) {
  const DisclosureSpec& r = spec.disclosure;
  const DisclosureSpec standard;
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  rules.push_back({"max_leverage", canonical_number(r.max_leverage),
                   r.max_leverage < 1
                       ? "refused when one matched record has more than about " + canonical_number(r.max_leverage) +
                             " leverage on the attributes of both parties together, or few records have "
                             "most of it"
                       : "off: a few records may decide a coefficient alone",
                   r.max_leverage > standard.max_leverage});
  rules.push_back({"max_vif", or_off(r.max_vif),
                   r.max_vif ? "refused when the variance inflation factor of an attribute is above " +
                                   canonical_number(*r.max_vif) + ": the other attributes nearly determine it"
                             : "off: two attributes may be nearly equal and differ in a single record",
                   !r.max_vif || *r.max_vif > *standard.max_vif});
  rules.push_back(
      {"max_columns", r.max_columns ? number(*r.max_columns) : "a tenth of the matched records",
       "at most " + (r.max_columns ? number(*r.max_columns) : "a tenth of the matched records as many") + " attributes",
       r.max_columns && 10 * *r.max_columns > spec.required_matches()});
  rules.push_back({"versions", number(r.versions),
                   "at most " + number(r.versions) + " versions of its data that a controller brings to the other one",
                   r.versions > standard.versions});
  rules.push_back(
      {"released_numbers", r.released_numbers ? number(*r.released_numbers) : kDefaultNumbers,
       "released numbers about a source to the other controller, over all studies, beyond the first model of each "
       "one's outcomes: at most " +
           (r.released_numbers ? number(*r.released_numbers) : kDefaultNumbers),
       r.released_numbers && *r.released_numbers > default_released_numbers(spec.required_matches())});
  rules.push_back({"own_moments", r.own_moments ? "true" : "false",
                   r.own_moments ? "on: second moments of one party's own columns may be released"
                                 : "no second moments of one party's own columns",
                   r.own_moments});
  const char* precision = precision_name(spec.precision);
  rules.push_back({"release.precision", precision,
                   spec.precision == Precision::exact
                       ? "exact: 28 bits of every number; several such models reveal which records matched"
                       : std::string("every number is rounded to ") +
                             (spec.precision == Precision::statistical ? "an eighth" : "half") +
                             " of its standard error or less, to a power of two whose exponent all parties learn",
                   spec.precision == Precision::exact});
}
}  // namespace

std::vector<DisclosureRule> disclosure_rules(const Spec& spec) {
  const DisclosureSpec& r = spec.disclosure;
  const DisclosureSpec standard;
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  std::vector<DisclosureRule> rules;
  rules.push_back({"min_matched", number(r.min_matched),
                   "refused below " + number(spec.required_matches()) + " matched records (min_matched " +
                       number(r.min_matched) + ", " + number(static_cast<std::int64_t>(spec.attribute_count()) + 1) +
                       " parameters at max_parameter_ratio " + canonical_number(r.max_parameter_ratio) + ")",
                   r.min_matched < standard.min_matched});
  rules.push_back({"max_parameter_ratio", canonical_number(r.max_parameter_ratio),
                   "refused above " + canonical_number(r.max_parameter_ratio) + " parameters per matched record",
                   r.max_parameter_ratio > standard.max_parameter_ratio});
  rules.push_back({"min_level_count", number(r.min_level_count),
                   r.min_level_count > 1 ? "refused when a level of a two-valued column or of an attribute with "
                                           "levels, or the difference of two such columns, "
                                           "has some matched records but fewer than " +
                                               number(r.min_level_count)
                                         : "off: a level of a two-valued column may be a single record",
                   r.min_level_count < standard.min_level_count});
  rules.push_back({"max_dominance", canonical_number(r.max_dominance),
                   r.max_dominance < 1
                       ? "refused when one matched record holds more than " + canonical_number(r.max_dominance) +
                             " of the variation of a numeric column or of the outcome, and when the "
                             "outcome does not vary"
                       : "off: one record may hold all variation of a column; refused when the outcome "
                         "does not vary",
                   r.max_dominance > standard.max_dominance});
  rules.push_back({"model_budget", number(r.model_budget),
                   "at most " + number(r.model_budget) +
                       " models over the same source of a controller; an attempt that was refused, or ended after the "
                       "match, counts as one",
                   r.model_budget > standard.model_budget});
  rules.push_back({"min_cohort_change", number(r.min_cohort_change),
                   r.min_cohort_change > 1
                       ? "each controller refuses at its own node, before anything is sent, when its source has other "
                         "persons than in an earlier study that got as far as the match, but fewer than " +
                             number(r.min_cohort_change) + " or one in a hundred"
                       : "off: a source may change by a single record between two studies",
                   r.min_cohort_change < standard.min_cohort_change});
  rules.push_back({"min_lambda", r.min_lambda ? canonical_number(*r.min_lambda) : "off",
                   r.min_lambda
                       ? "no fit below lambda " + canonical_number(*r.min_lambda)
                       : "off: with a small lambda a combination of three or more columns can single out a record",
                   false});
  if (spec.format > 1) add_later_rules(rules, spec);
  return rules;
}

namespace {

std::string expected_text(const Spec& spec) {
  if (!spec.expect_matched) return "";
  return ", and between " + std::to_string(spec.expect_matched->first) + " and " +
         std::to_string(spec.expect_matched->second) + " were expected (expect_matched)";
}

}  // namespace

Error disclosure_refusal(const Spec& spec) {
  std::string agreed;
  for (const DisclosureRule& rule : disclosure_rules(spec))
    agreed += (agreed.empty() ? "" : ", ") + rule.key + " " + rule.threshold;
  return Error(
      ErrorCode::refused, kRulesRefused,
      "The rules are: " + agreed + ", and the allowed range of values. At least " +
          std::to_string(spec.required_matches()) + " records had to match" + expected_text(spec) +
          ". No party learns which rule refused. The attempt counts against "
          "model_budget.",
      "A study passes with more records, fewer attributes, no rare two-valued columns, no extreme values and no "
      "attribute that others determine. Few records match when the two sides write identifiers differently: "
      "mpc.check_source shows at each node what they look like. The thresholds belong to the spec: another "
      "threshold needs a new version that all three parties approve, and none may be looser than the administrator of "
      "a node allows (pg_mpc.*).");
}

RowRules row_rules(const Spec& spec) {
  const Error refusal = disclosure_refusal(spec);
  RowRules rules;
  rules.min_level_count = spec.disclosure.min_level_count;
  rules.max_dominance = spec.disclosure.max_dominance;
  rules.max_leverage = spec.disclosure.max_leverage;
  rules.max_vif = spec.disclosure.max_vif.value_or(0);
  rules.refusal_detail = refusal.detail();
  rules.refusal_hint = refusal.hint();
  return rules;
}

std::int64_t charged_numbers(const Spec& spec, const std::set<std::string>& before) {
  constexpr std::int64_t kExactCounts = 4;
  const std::vector<JoinedColumn> columns = joined_columns(spec);
  std::int64_t total = 0;
  std::map<std::string, std::int64_t> free;
  for (const AnalysisEntry& entry : spec.analyses) {
    const Analysis& analysis = *entry.analysis;
    total += analysis.models() * analysis.numbers_of_model(entry.columns);
    const std::string first = entry.columns.outcome ? spec.party_name(columns[*entry.columns.outcome].party)
                                                    : std::string("(") + analysis.kind() + ")";
    if (!before.contains(first)) free[first] = std::max(free[first], analysis.free_numbers(entry.columns));
  }
  for (const auto& [first, numbers] : free) total -= numbers;
  return total * (spec.precision == Precision::exact ? kExactCounts : 1);
}

void check_released_numbers(const Spec& spec, std::int64_t matched, const ReleasedNumbers& numbers) {
  const std::int64_t most = spec.disclosure.released_numbers.value_or(default_released_numbers(matched));
  if (numbers.study > 0 && numbers.before + numbers.study > most) throw disclosure_refusal(spec);
}

}  // namespace pgmpc
