// Means and standard deviations of numeric attributes over the records of each group, on shares.
//
// Terms
// A unit of this file is one attribute over the records of one group. p is the part of the joined records that a group has.
// A group is the records with one value of a two-valued column: the higher one, or the lower one. Those of a categorical
// attribute have the higher value of the column of their level. Values are in local units.
#pragma once
#include <cstddef>
#include <vector>

#include "analysis/computation.h"

namespace pgmpc {

struct RecordGroup {
  std::size_t column;  // among the joined ones
  bool high;
};

// One entry per attribute and group, attribute by attribute.
struct GroupFigures {
  FpVector mean;        // kMeanBits, with the owner's mean
  FpVector sd;          // F bits
  FpVector deviation;   // F bits: the standard error of the mean times the root of the number of joined records
  FpVector violations;  // of rules over the records of the group: their number
};

// Computes the figures of some attributes, each by index into the joined columns. About 30 rounds.
GroupFigures group_figures(const AnalysisRun& run, const std::vector<RecordGroup>& groups,
                           const std::vector<std::size_t>& columns);

// Bits of the opened values, for the plan.
inline int group_mean_bound(int fixed_bits) { return 2 * fixed_bits + 10; }
inline int group_square_bound(int fixed_bits) { return 2 * fixed_bits + 14; }
inline int reciprocal_bound(int fixed_bits) { return 2 * fixed_bits + 14; }
int stretch_sum_bound(std::size_t largest_stretch);

}  // namespace pgmpc
