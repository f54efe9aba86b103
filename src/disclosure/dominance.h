// What: the dominance rule (rule F11; docs/design/release_rules.md): no record holds more than the agreed part of the
// variation of a
//       numeric column or of the outcome over the joined rows; and the outcome varies at all.
// Terms: z = distance of a value from the joined mean; group = a stretch of the joined rows, whose order is the third
//        party's secret uniform draw, so that nobody can choose who shares a group;
//        Q_g = sum of z^2 over group g; S = sum of z^2 over all rows; theta = disclosure.max_dominance.
// The test: sum over groups of Q_g^2 <= theta^2 S^2. It never passes what the rule forbids, because
//        (max z^2)^2 <= sum z^4 <= sum Q_g^2. It adds S^2 / groups to what fourth moments of single rows would give, so
//        there are at least 16 / theta^2 groups. Fourth moments of rows would cost one opening per value; groups cost
//        one per group and column, whatever the number of rows is.
// Invariants: |x| <= 2^6 local units, hence Q_g < 2^14 per row and S <= 2^12 per row; everything stays on shares.
//             0/1 columns are left to the exact level rule.
#pragma once
#include <span>
#include <vector>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "disclosure/row_rules.h"

namespace pgmpc {

// Public function of the agreed rule and the number of rows.
std::size_t dominance_groups(double max_dominance, std::size_t rows);

// Bits of Q_g before truncation, for the largest group.
int group_bits(std::size_t largest_group);

// Per column and group, column by column: local sums, made while the rows are still there.
struct GroupSums {
  std::vector<std::size_t> sizes;  // rows of each group
  FpVector linear;                 // sum x: degree 1, 24 fractional bits
  FpVector square;                 // sum x^2: degree 2, 48 fractional bits
};
GroupSums group_sums(std::span<const FpVector> columns, std::size_t groups, const CancelToken& cancel);

// Values that are at least 0 exactly when the rules hold: one per numeric column and one for the variation of
// each outcome. Degree <= 2, below 2^82: ready for at_least. One round; gate labels: precheck, 0, gate.
FpVector dominance_room(const Fixed& fixed, int gate, const Moments& moments, const GroupSums& sums,
                        const std::vector<ColumnDescription>& columns, const RowRules& rules);

}  // namespace pgmpc
