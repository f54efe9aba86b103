// Computes leverage and collinearity of a design matrix in the clear. A node does this over all of its own columns that
// it ever used with one counterpart, before it approves another study (the union rule, docs/disclosure.md).
//
// Terms
// The design is the columns, centred and divided by their standard deviation. A missing value (NaN, or beyond 1e100)
// counts as the mean. Columns that do not vary are left out. C is the correlation matrix, n the number of records.
// The leverage of record i is z_i' (C + 2^-10 I)^-1 z_i / n.
// The VIF of column j is entry j of the diagonal of C^-1 (10^9 where C cannot be inverted).
//
// Source
// Hoaglin and Welsch, The hat matrix in regression and ANOVA, The American Statistician 32 (1978). The limits are those
// of docs/disclosure.md, table "Union rule".
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace pgmpc {

struct DesignFigures {
  std::int64_t records = 0;
  int columns = 0;  // number of columns that vary
  double max_leverage = 0;
  double sum_squares = 0;  // of the leverages
  double max_vif = 0;
};

// Takes all records three times, in any order; NaN is a missing value.
class DesignCheck {
 public:
  static constexpr int kPasses = 3;
  explicit DesignCheck(std::size_t columns);
  // Error(internal) when a record has another number of columns.
  void add(std::span<const double> record);
  void end_pass();  // after each of the three passes; then figures() is complete
  const DesignFigures& figures() const { return figures_; }

 private:
  void add_moments(std::span<const double> record);
  void standardise(std::span<const double> record);
  void invert();

  int pass_ = 0;
  // Results of the first pass, per column. The moments are those of the distance from the first value. A column thus
  // varies unless all of its values are equal, whatever its unit and its distance from 0.
  std::vector<double> count_, first_, mean_, squares_;
  std::vector<std::size_t> varying_;
  std::vector<double> z_;               // the varying columns of a record
  std::vector<double> gram_, inverse_;  // d x d
  DesignFigures figures_;
};

}  // namespace pgmpc
