// What: the rules over single rows, and the ONE opened bit of all disclosure rules (rules F11, F14, F25).
// Rules: every second moment is below 2^10 local units (range of what is released); every two-valued column has both
//        levels in at least min_level_count joined rows, or one of them in none; every two such columns differ, and
//        agree, in at least min_level_count rows or in none; no record dominates a numeric column or the outcome, and
//        the outcome varies (dominance.h). Those over the joint design are in design.h.
// Invariants: the bit is open before anything else is. What runs meanwhile keeps its bounds whether or not the rules
//             hold: a column whose variance is out of range has the root 0 (standardise.h).
// A failed check throws Error(refused) at all parties; which rule failed is not opened.
#pragma once
#include <vector>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "disclosure/dominance.h"
#include "disclosure/row_rules.h"

namespace pgmpc {

// Secret violation bits of the rules over rows, each 0 or 1, so that their sum is their number and never negative.
FpVector row_violations(const Fixed& fixed, const Moments& moments, const GroupSums& sums,
                        const std::vector<ColumnDescription>& columns, const RowRules& rules);

// Error(refused) where there is a violation: opens the one bit.
void precheck(const Fixed& fixed, const FpVector& violations, const RowRules& rules);

// Opens one bit: are all the secret 0/1 faults zero? gate labels: phase, 0, gate and gate + 1.
bool no_faults(const Fixed& fixed, Phase phase, std::uint32_t iteration, int gate, Fp fault_sum);

}  // namespace pgmpc
