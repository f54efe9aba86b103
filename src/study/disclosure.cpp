#include "study/disclosure.h"

#include <cstdlib>

#include "regression/analysis.h"
#include "study/canonical_json.h"

namespace pgmpc {

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
                   r.min_level_count > 1
                       ? "refused when a level of a 0/1 column, or the difference of two such columns, "
                         "has some matched records but fewer than " +
                             number(r.min_level_count)
                       : "off: a level of a 0/1 column may be a single record",
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
                       ? "each controller refuses at its own node, before anything is sent, when its source has 1 to " +
                             number(r.min_cohort_change - 1) +
                             " records more or fewer than in an earlier study that got as far as the match"
                       : "off: a source may change by a single record between two studies",
                   r.min_cohort_change < standard.min_cohort_change});
  rules.push_back({"min_lambda", r.min_lambda ? canonical_number(*r.min_lambda) : "off",
                   r.min_lambda
                       ? "no fit below lambda " + canonical_number(*r.min_lambda)
                       : "off: with a small lambda a combination of three or more columns can single out a record",
                   false});
  return rules;
}

Error disclosure_refusal(const Spec& spec) {
  std::string agreed;
  for (const DisclosureRule& rule : disclosure_rules(spec))
    agreed += (agreed.empty() ? "" : ", ") + rule.key + " " + rule.threshold;
  return Error(ErrorCode::refused, kRulesRefused,
               "The rules are: " + agreed + ", and the range that values may have. At least " +
                   std::to_string(spec.required_matches()) +
                   " records had to match. Which rule it was is told to nobody; the attempt counts against "
                   "model_budget.",
               "The thresholds belong to the spec: another threshold is a new version that all three parties approve, "
               "none below the pg_mpc.min_matched that the administrator of a node has set. More records, fewer "
               "attributes, no rare 0/1 columns and no extreme values need no other threshold.");
}

void check_cohort(const Spec& spec, std::int64_t records, const std::vector<EarlierCohort>& earlier) {
  const std::int64_t least = spec.disclosure.min_cohort_change;
  for (const EarlierCohort& cohort : earlier) {
    const std::int64_t change = std::abs(records - cohort.records);
    if (change == 0 || change >= least) continue;
    throw Error(ErrorCode::wrong_state, "the source has changed by too few records since an earlier study",
                "It has " + std::to_string(records) + " complete records and had " + std::to_string(cohort.records) +
                    " in study \"" + cohort.study + "\", version " + std::to_string(cohort.version) +
                    "; disclosure.min_cohort_change is " + std::to_string(least) + ". The other parties are not told.",
                "Two results would tell about the few records by which they differ. Bind the unchanged records, or "
                "wait until more have changed.");
  }
}

}  // namespace pgmpc
