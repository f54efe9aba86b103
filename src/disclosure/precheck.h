// Checks the rules over single rows, and opens the one bit of all disclosure rules (rules F11, F14, F25).
//
// Rules
// Every second moment is below 2^10 local units (the range of what is released). Every two-valued column has both
// levels in at least min_level_count joined rows, or one of them in none. Every two such columns differ, and agree, in
// at least min_level_count rows or in none. No record dominates a numeric column or the outcome, and the outcome varies
// (dominance.h). The rules over the joint design are in joint_design.h.
//
// Invariants
// The bit is opened before anything else. What runs meanwhile keeps its bounds whether or not the rules hold: a column
// whose variance is out of range has the reciprocal standard deviation 0 (algebra/standardise.h).
//
// Errors
// A failed check throws Error(refused) at all parties. Which rule failed is not opened.
#pragma once
#include <utility>
#include <vector>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "disclosure/dominance.h"
#include "disclosure/row_rules.h"

namespace pgmpc {

// Secret violation bits, each 0 or 1, and the column or the two columns that each is about. The sum of any of them is
// their number and never negative.
struct RowViolations {
  FpVector bits;
  std::vector<std::pair<std::size_t, std::size_t>> about;  // the same column twice, or two columns
  // Per column: 1 if it is two-valued and one of its levels has no record. Empty where the level rule is off. This is no
  // violation.
  FpVector one_level;
};
RowViolations row_violations(const Fixed& fixed, const Moments& moments, const GroupSums& sums,
                             const std::vector<ColumnDescription>& columns, const RowRules& rules);

// Returns in how many rows two two-valued columns are both 1 (i = j: in how many one is). Degree 2, whole rows.
Fp joint_count(const Moments& moments, std::size_t i, std::size_t j);
// Returns secret bits: 1 for a count below least, 0 included. counts: degree <= 2, whole rows.
FpVector small_counts(const Fixed& fixed, const GateLabel& label, const FpVector& counts, std::int64_t least);

// Opens the one bit. Error(refused) when there is a violation.
void precheck(const Fixed& fixed, const FpVector& violations, const RowRules& rules);

// Opens one bit: are all the secret 0/1 violations zero? violation_sum: their sum. Gate label: phase, iteration, gate.
bool no_violations(const Fixed& fixed, Phase phase, std::uint32_t iteration, int gate, Fp violation_sum);

}  // namespace pgmpc
