// The disclosure rules of a spec in words, the one text of every refusal by them, and the rule about released numbers.
//
// Terms
// A rule is one key of disclosure in the spec, or release.precision. A rule is relaxed when it is looser than the
// default of a filled spec.
//
// Invariants
// A refusal has the same text whichever rule caused it (rule F25).
#pragma once
#include <algorithm>
#include <cstdint>
#include <set>
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

// Returns all rules, in the order of docs/disclosure.md.
std::vector<DisclosureRule> disclosure_rules(const Spec& spec);

// Returns the rules over the joined records, in the form that the analyses apply.
RowRules row_rules(const Spec& spec);

// Returns the error that every party throws when the joined records violate a rule: after the match, or as soon as the
// bit of the rules is open.
Error disclosure_refusal(const Spec& spec);

// Released numbers about one source to one counterpart, as disclosure.released_numbers counts them. before: those of
// other studies. study: what this study would add. The first model of each controller's outcomes does not count.
struct ReleasedNumbers {
  std::int64_t before = 0, study = 0;
};

// Returns the limit when the spec has none: a tenth of the matched records, at most 100. It has a maximum because the
// smallest group that passes the rules does not grow with the number of matched records. More numbers about such a
// group tell more about it (docs/disclosure.md, "What attacks gain").
constexpr std::int64_t default_released_numbers(std::int64_t matched) {
  constexpr std::int64_t kRecordsPerNumber = 10, kMost = 100;
  return std::min(matched / kRecordsPerNumber, kMost);
}

// Returns the numbers that this study counts. before: of which analyses some have been released to the counterpart, as the
// controller that has their outcome, or "(kind)" where there is none. The largest first one of each is free.
std::int64_t charged_numbers(const Spec& spec, const std::set<std::string>& before);

// Checks the limit at the controller that owns the source, as soon as the number of matched records is known. Throws
// disclosure_refusal(spec).
void check_released_numbers(const Spec& spec, std::int64_t matched, const ReleasedNumbers& numbers);

}  // namespace pgmpc
