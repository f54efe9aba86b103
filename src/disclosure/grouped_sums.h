// Sums of columns over the records of each level of a two-valued column, per stretch of the joined rows.
//
// Terms
// The groups of a two-valued column g are its levels: 1 (the records with the higher value) and 0.
// x is a numeric column in local units, x_int = x * 2^24. A stretch is the same as in dominance.h, where it is called a
// group.
//
// Invariants
// Only sums leave the rows. For a record, g x^2 has degree 3: the squares are therefore reduced to degree 1 first, by one
// masked opening per record and numeric column.
#pragma once
#include <map>
#include <set>
#include <span>
#include <vector>

#include "algebra/column.h"
#include "algebra/fixed.h"
#include "base/cancel.h"

namespace pgmpc {

// The sums for one level, one per stretch.
struct LevelSums {
  FpVector count;   // records: degree 1, whole rows
  FpVector linear;  // sum x: degree 2, 24 fractional bits
  FpVector square;  // sum x^2: degree 2, 48 fractional bits
};

// Sums of level 1 of each pair of columns. Those of level 0 are what remains of all rows.
using GroupedSums = std::map<GroupedColumn, LevelSums>;

// Computes them while the rows still exist. sizes: rows of each stretch. One round per 2^18 values.
GroupedSums grouped_sums(const Fixed& fixed, std::span<const FpVector> columns, const std::set<GroupedColumn>& pairs,
                         const std::vector<std::size_t>& sizes, const CancelToken& cancel);

// Bits of the opened squares, for the plan.
inline constexpr int kSquareBound = 61;

}  // namespace pgmpc
