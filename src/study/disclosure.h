// What: the disclosure rules of a spec in words, the one text of every refusal by them, and the rule about released
// numbers. Terms: rule = one key of disclosure in the spec; relaxed = looser than the default that a filled spec gets.
// Invariants: a refusal says the same whichever rule caused it (rule F25).
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "disclosure/row_rules.h"
#include "study/spec.h"

namespace pgmpc {

struct DisclosureRule {
  std::string key;        // below disclosure in the spec, or release.precision
  std::string threshold;  // as in the spec; "off" where there is none
  std::string statement;  // what is refused
  bool relaxed = false;
};

// All rules, in the order of docs/disclosure.md.
std::vector<DisclosureRule> disclosure_rules(const Spec& spec);

// Those over the joined records, as the analyses apply them.
RowRules row_rules(const Spec& spec);

// What every party throws when the joined records break a rule: at the match or before the first iteration.
Error disclosure_refusal(const Spec& spec);

// Released numbers of one source and counterpart that count against disclosure.released_numbers: of other studies, and
// what this one would add (all of its models but the first one of an outcome of each controller).
struct ReleasedNumbers {
  std::int64_t before = 0, study = 0;
};

// Without a number in the spec. The bound: the smallest group that passes the rules does not grow with the number of
// matched records, so more numbers about it tell more (docs/disclosure.md, "What attacks gain").
constexpr std::int64_t default_released_numbers(std::int64_t matched) {
  constexpr std::int64_t kRecordsPerNumber = 10, kMost = 100;
  return std::min(matched / kRecordsPerNumber, kMost);
}

// Of the controller whose source it is, as soon as the number of matched records is known. Throws disclosure_refusal.
void check_released_numbers(const Spec& spec, std::int64_t matched, const ReleasedNumbers& numbers);

}  // namespace pgmpc
