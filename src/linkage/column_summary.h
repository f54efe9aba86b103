// Summarises a column in one pass over its values, and says whether and how it can be encoded (encoding.h).
//
// Invariants
// Memory does not grow with the number of values. An engine that encodes a column, the approval that pins its source
// and mpc.check_source all use this summary. So what mpc.check_source shows is what the engine does.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace pgmpc {

// Far beyond what any exponent carries. Larger values are counted and left out of the figures.
inline constexpr double kLargestValue = 1e100;

enum class ColumnProblem {
  none,
  not_finite,         // NaN or infinity
  not_boolean,        // a boolean column holds a value other than 0 and 1
  magnitude,          // no exponent carries it
  mean_too_large,     // too large for the spread
  varies_too_little,  // for the agreed exponent
  value_too_large,    // for the agreed exponent
};

class ColumnSummary {
 public:
  void add(double value);

  // Counts of values that are NaN, infinite or beyond kLargestValue. All figures below leave them out.
  std::int64_t not_finite() const { return not_finite_; }
  std::int64_t beyond() const { return beyond_; }
  std::int64_t unusable() const { return not_finite_ + beyond_; }

  std::int64_t count() const { return count_; }
  double low() const { return low_; }
  double high() const { return high_; }
  bool constant() const { return low_ == high_; }
  long double mean() const;
  long double sd() const;  // population
  // The largest distance of a value from the mean.
  long double reach() const;

  // Whether there are at most two distinct values.
  bool two_valued() const { return !third_; }
  bool holds_only_0_and_1() const;
  // For a column with two values: how many records hold the rarer one.
  std::int64_t rarer() const { return std::min(firsts_, seconds_); }

 private:
  std::int64_t count_ = 0, not_finite_ = 0, beyond_ = 0;
  double low_ = 0, high_ = 0;
  double first_ = 0, second_ = 0;  // distinct values
  std::int64_t firsts_ = 0, seconds_ = 0;
  bool third_ = false;
  // Sums of the values, and of their differences from the first value. That value lies within sqrt(count) standard
  // deviations of the mean, so the variance loses no more digits than that. No column of doubles overflows a long
  // double.
  long double sum_ = 0, difference_ = 0, squares_ = 0;
};

// How a column is encoded, in the terms of encoding.h. With a problem, only problem and exponent are valid.
struct ColumnScale {
  ColumnProblem problem = ColumnProblem::none;
  bool binary = false;  // values enter as 0 (low) and 1
  double low = 0;
  int exponent = 0;
  std::int64_t scaled_mean = 0;
  std::int64_t step = 0, inverse_step = 0;
};

ColumnScale boolean_scale(const ColumnSummary& column);
ColumnScale two_valued_scale(const ColumnSummary& column, std::optional<int> fixed_exponent);
ColumnScale numeric_scale(const ColumnSummary& column, std::optional<int> fixed_exponent);
// What the engine uses: the SQL type only decides that a boolean column holds 0 and 1.
ColumnScale source_scale(const ColumnSummary& column, bool boolean, std::optional<int> fixed_exponent);

// The mean of a numeric column as it is sent. Values are encoded as distances from it.
long double rounded_mean(const ColumnScale& scale);

// Does nothing without a problem. Throws Error(data_exception) for NaN, infinity and values that a boolean column
// cannot hold, and Error(out_of_range) where a bound does not hold.
void require_encodable(const std::string& name, const ColumnSummary& column, const ColumnScale& scale);

}  // namespace pgmpc
