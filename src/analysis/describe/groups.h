// Means and standard deviations of numeric attributes over the records of each group, on shares.
//
// Terms
// A unit of this file is one attribute over the records of one group. p is the part of the joined records that a group has.
// The groups are the levels 0 and 1 of the attribute "by". Values are in local units.
#pragma once
#include <cstddef>
#include <vector>

#include "analysis/computation.h"

namespace pgmpc {

// One entry per attribute and group: that of group 0, then that of group 1.
struct GroupFigures {
  FpVector mean;        // kMeanBits, with the owner's mean
  FpVector sd;          // F bits
  FpVector deviation;   // F bits: the standard error of the mean times the root of the number of joined records
  FpVector violations;  // of rules over the records of the group: their number
};

// Computes the figures of some attributes, each by index into the joined columns. by: the grouping column. About 30 rounds.
GroupFigures group_figures(const AnalysisRun& run, std::size_t by, const std::vector<std::size_t>& columns);

// Bits of the opened values, for the plan.
inline int group_mean_bound(int fixed_bits) { return 2 * fixed_bits + 10; }
inline int group_square_bound(int fixed_bits) { return 2 * fixed_bits + 14; }
inline int reciprocal_bound(int fixed_bits) { return 2 * fixed_bits + 14; }
int stretch_sum_bound(std::size_t largest_stretch);

}  // namespace pgmpc
