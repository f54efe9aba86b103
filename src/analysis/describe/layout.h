// What a describe analysis releases, number by number: a public function of the spec and of which columns are two-valued.
//
// Terms
// A unit is a table that is released or withheld as a whole: one attribute, one attribute by group, a cross-table, or a
// correlation.
// A cell is a number of records with given values of one or two two-valued columns. A categorical attribute has a cell per
// level: that of the value 1 of its column.
// The groups of a study are the levels of the attribute "by". Columns are indexes into those of the analysis.
//
// Invariants
// Without own_moments there is no unit about two attributes of one party.
#pragma once
#include <optional>
#include <vector>

#include "analysis/describe/settings.h"

namespace pgmpc {

struct DescribeUnit {
  std::vector<std::size_t> columns;  // one of them that is withheld withholds the unit
  bool of_two = false;               // about two attributes
  bool small_cells = false;          // a cell below disclosure.min_level_count withholds it
  bool groups_of_numbers = false;    // a numeric attribute by group
};

// A value of a two-valued column that is a level of its attribute.
struct DescribeLevel {
  std::size_t column;
  bool value;
  bool operator==(const DescribeLevel&) const = default;
};

struct DescribeCell {
  std::size_t unit, column;
  bool level;
  std::optional<std::size_t> other{};  // cross-table: the column of its column attribute, or that of the groups
  bool other_level = false;
  std::optional<std::size_t> table{};  // which of the spec's tables; none: the attribute, or the attribute by group
  bool of_correlation = false;         // one of four that a correlation follows from
};

// Mean and standard deviation of a numeric attribute.
struct DescribeStatistic {
  std::size_t unit, column;
  std::optional<DescribeLevel> group{};  // over the records of this level only
};

// The correlation of two two-valued attributes follows from their cross-table, and is computed from its rounded cells:
// with the levels it would tell the cells before rounding.
struct DescribeCorrelation {
  std::size_t unit, a, b;
  std::optional<std::size_t> first_cell{};  // of four
};

struct DescribeLayout {
  std::vector<DescribeUnit> units;
  std::vector<DescribeCell> cells;
  std::vector<DescribeStatistic> statistics;
  std::vector<DescribeCorrelation> correlations;
};

// two_valued: one per column.
DescribeLayout layout_of(const DescribeSettings& settings, const AnalysisColumns& columns,
                         const std::vector<bool>& two_valued);

// Returns the number of released numbers, at most: as if every attribute were numeric, or two-valued where that has more.
std::int64_t numbers_of(const DescribeSettings& settings, const AnalysisColumns& columns);
// Returns how many of them are sums of products of two columns of one party.
std::int64_t own_moments_of(const DescribeSettings& settings, const AnalysisColumns& columns);

}  // namespace pgmpc
