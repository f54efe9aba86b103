// What: the disclosure rules of a spec in words, the one text of every refusal by them, and the rule about cohorts.
// Terms: rule = one key of disclosure in the spec; relaxed = looser than the default that a filled spec gets;
//        cohort = the complete records that a controller's source had in one study.
// Invariants: a refusal says the same whichever rule caused it (rule F25); the number of records of a cohort never
//             leaves its node: check_cohort runs before anything is sent.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "study/spec.h"

namespace pgmpc {

struct DisclosureRule {
  std::string key;        // below disclosure in the spec, or release.precision
  std::string threshold;  // as in the spec; "off" where there is none
  std::string statement;  // what is refused
  bool relaxed = false;
};

// All rules, in the order of DESIGN.md A.4.
std::vector<DisclosureRule> disclosure_rules(const Spec& spec);

// What every party throws when the joined records break a rule: at the match or before the first iteration.
Error disclosure_refusal(const Spec& spec);

struct EarlierCohort {
  std::string study;
  int version = 0;
  std::int64_t records = 0;
};

// Error(wrong_state) when the source has 1 to min_cohort_change - 1 records more or fewer than in an earlier study
// on the same source that got as far as the match: two results of which the second tells about the few records by which
// they differ.
void check_cohort(const Spec& spec, std::int64_t records, const std::vector<EarlierCohort>& earlier);

}  // namespace pgmpc
