// Leverage and collinearity of a design matrix in the clear: what a node computes over all of its own columns that it
// ever used with one counterpart, before it approves another study (the union rule, docs/disclosure.md).
//
// Terms
//   design = columns centred and divided by their standard deviation; a missing value (NaN, or beyond 1e100) counts as
//   the mean; columns that do not vary are left out. With C the correlation matrix and n records: leverage of record i
//   = z_i' (C + 2^-10 I)^-1 z_i / n; VIF of column j = entry j of the diagonal of C^-1 (10^9 where C cannot be
//   inverted).
//
// Source: Hoaglin and Welsch, The hat matrix in regression and ANOVA, The American Statistician 32 (1978); the limits
// are those of docs/disclosure.md, table "Union rule".
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace pgmpc {

struct DesignFigures {
  std::int64_t records = 0;
  int columns = 0;  // that vary
  double max_leverage = 0;
  double sum_squares = 0;  // of the leverages
  double max_vif = 0;
};

// Told all records three times, in any order; NaN = missing.
class DesignCheck {
 public:
  static constexpr int kPasses = 3;
  explicit DesignCheck(std::size_t columns);
  void add(std::span<const double> record);
  void end_pass();  // three times; then figures() holds
  const DesignFigures& figures() const { return figures_; }

 private:
  void add_moments(std::span<const double> record);
  void standardise(std::span<const double> record);
  void invert();

  int pass_ = 0;
  // Of the first pass, per column. Moments are those of the distance from the first value: whatever the unit and the
  // distance from 0, a column varies unless all of its values are equal.
  std::vector<double> count_, first_, mean_, squares_;
  std::vector<std::size_t> varying_;
  std::vector<double> z_;               // of the varying columns
  std::vector<double> gram_, inverse_;  // d x d
  DesignFigures figures_;
};

}  // namespace pgmpc
