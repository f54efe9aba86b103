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
// whose variance is out of range has the root 0 (algebra/standardise.h).
//
// Errors
// A failed check throws Error(refused) at all parties. Which rule failed is not opened.
#pragma once
#include <vector>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "disclosure/dominance.h"
#include "disclosure/row_rules.h"

namespace pgmpc {

// Returns secret violation bits of the rules over rows, each 0 or 1. Their sum is their number and never negative.
FpVector row_violations(const Fixed& fixed, const Moments& moments, const GroupSums& sums,
                        const std::vector<ColumnDescription>& columns, const RowRules& rules);

// Opens the one bit. Error(refused) when there is a violation.
void precheck(const Fixed& fixed, const FpVector& violations, const RowRules& rules);

// Opens one bit: are all the secret 0/1 violations zero? violation_sum: their sum. Gate label: phase, iteration, gate.
bool no_violations(const Fixed& fixed, Phase phase, std::uint32_t iteration, int gate, Fp violation_sum);

}  // namespace pgmpc
