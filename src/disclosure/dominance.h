// Implements the dominance rule (rule F11; docs/design/release_rules.md). No record holds more than the agreed part of
// the variation of a numeric column or of the outcome over the joined rows; and the outcome varies.
//
// Terms
// z is the distance of a value from the joined mean. A group is a stretch of the joined rows. Their order is the third
// party's secret uniform draw, so no party can choose which rows share a group.
// Q_g is the sum of z^2 over group g, S the sum of z^2 over all rows, theta is disclosure.max_dominance.
//
// Test
// sum over groups of Q_g^2 <= theta^2 S^2. It never passes what the rule forbids, because
// (max z^2)^2 <= sum z^4 <= sum Q_g^2. Compared with fourth moments of single rows, it adds S^2 / groups to the left
// side. There are therefore 16 / theta^2 groups, between 64 and 1024 and at most one per row. Fourth moments of rows
// would cost one opening per value. Groups cost one per group and column, whatever the number of rows.
//
// Invariants
// |x| <= 2^6 local units, hence Q_g < 2^14 per row and S <= 2^12 per row. Everything stays on shares. 0/1 columns are
// left to the level rule, which is exact.
#pragma once
#include <span>
#include <vector>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "disclosure/row_rules.h"

namespace pgmpc {

// Returns the number of groups: a public function of the agreed rule and the number of rows.
std::size_t dominance_groups(double max_dominance, std::size_t rows);

// Returns the bits of Q_g before truncation, for the largest group.
int group_bits(std::size_t largest_group);

// Local sums per column and group, column by column. They are computed while the rows still exist.
struct GroupSums {
  std::vector<std::size_t> sizes;  // rows of each group
  FpVector linear;                 // sum x: degree 1, 24 fractional bits
  FpVector square;                 // sum x^2: degree 2, 48 fractional bits
};
GroupSums group_sums(std::span<const FpVector> columns, std::size_t groups, const CancelToken& cancel);

// For every unit, a column or a column over some of the rows: a value that is at least 0 exactly when no record dominates
// it, and S. Degree <= 2 and 1. room is empty where max_dominance is 1.
struct DominanceRoom {
  FpVector room, total;
};
// squares: Q_g of every unit, unit by unit, of degree <= 2, 48 fractional bits. sizes: rows of each group. One round.
DominanceRoom dominance_of(const Fixed& fixed, const GateLabel& label, FpVector squares,
                           const std::vector<std::size_t>& sizes, const Moments& moments, double max_dominance);

// Returns values that are at least 0 exactly when the rules hold: one per numeric column, and one for the variation of
// each outcome. Degree <= 2, below 2^82: ready for at_least. One round; gate label: precheck, 0, gate.
FpVector dominance_room(const Fixed& fixed, int gate, const Moments& moments, const GroupSums& sums,
                        const std::vector<ColumnDescription>& columns, const RowRules& rules);

}  // namespace pgmpc
