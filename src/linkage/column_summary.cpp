#include "linkage/column_summary.h"

#include <cmath>

#include "base/error.h"
#include "base/mutants.h"
#include "linkage/encoding.h"

namespace pgmpc {
namespace {

constexpr double kSpreadOverUnit = 64;          // an outlier may lie this many units from the mean
constexpr double kMostMean = 1024;              // |mu| * 2^-e
constexpr double kSmallestSpread = 1.0 / 4096;  // sd * 2^-e of a column with a fixed exponent
constexpr std::int64_t kOneStep = std::int64_t{1} << kStepBits;

// Returns the smallest e with x <= 2^e, for x > 0.
int ceil_log2(long double x) {
  int exponent = 0;
  const long double fraction = std::frexp(x, &exponent);  // [0.5, 1)
  return fraction == 0.5L ? exponent - 1 : exponent;
}

int own_exponent(const ColumnSummary& column) {
  const long double unit = std::max(column.sd(), column.reach() / static_cast<long double>(kSpreadOverUnit));
  if (unit > 0) return ceil_log2(unit);
  if (column.mean() == 0) return 0;
  return ceil_log2(std::fabs(column.mean())) - 10;  // constant: any unit that keeps the mean within its bound
}

// Sets the exponent and the scaled mean.
ColumnProblem place(ColumnScale& scale, int exponent, long double mean) {
  scale.exponent = exponent;
  if (exponent < -kMaxExponent || exponent > kMaxExponent) return ColumnProblem::magnitude;
  const long double scaled = std::ldexp(mean, -exponent);
  if (!(std::fabs(scaled) <= static_cast<long double>(kMostMean))) return ColumnProblem::mean_too_large;
  scale.scaled_mean = std::llround(std::ldexp(scaled, kMeanBits));
  return ColumnProblem::none;
}

// Problems that a column has on every scale.
ColumnProblem unusable(const ColumnSummary& column) {
  if (column.not_finite() != 0) return ColumnProblem::not_finite;
  return column.beyond() != 0 ? ColumnProblem::magnitude : ColumnProblem::none;
}

// The distance of the two values in units; 1 for a constant column, which is all low.
ColumnProblem set_step(ColumnScale& scale, long double distance) {
  if (distance == 0) return ColumnProblem::none;
  const long double step = std::ldexp(distance, -scale.exponent);
  if (step < 1) return ColumnProblem::varies_too_little;
  if (step > static_cast<long double>(kSpreadOverUnit)) return ColumnProblem::value_too_large;
  scale.step = std::llround(std::ldexp(step, kStepBits));
  scale.inverse_step = std::llround(std::ldexp(1 / step, kStepBits));
  return ColumnProblem::none;
}

// Distances from a mean grow towards both ends, so all values fit when the lowest and the highest do.
bool ends_fit(const ColumnSummary& column, const ColumnScale& scale) {
  const long double centre = rounded_mean(scale);
  const long double limit = std::ldexp(kSpreadOverUnit, kDataBits) + 1;  // 1: the rounding of the mean
  for (const double end : {column.low(), column.high()})
    if (!(std::fabs(std::ldexp(end - centre, kDataBits - scale.exponent)) <= limit)) return false;
  return true;
}

}  // namespace

void ColumnSummary::add(double value) {
  if (!std::isfinite(value)) {
    ++not_finite_;
    return;
  }
  if (std::fabs(value) > kLargestValue) {
    ++beyond_;
    return;
  }
  if (count_ == 0) low_ = high_ = first_ = value;
  low_ = std::min(low_, value);
  high_ = std::max(high_, value);
  if (value == first_) {
    ++firsts_;
  } else if (seconds_ == 0 || value == second_) {
    second_ = value;
    ++seconds_;
  } else {
    third_ = true;
  }
  const long double difference = static_cast<long double>(value) - first_;
  sum_ += value;
  difference_ += difference;
  squares_ += difference * difference;
  ++count_;
}

bool ColumnSummary::holds_only_0_and_1() const {
  const auto is_bit = [](double x) { return x == 0 || x == 1; };
  return two_valued() && is_bit(low_) && is_bit(high_);
}

long double ColumnSummary::mean() const {
  // A constant column: rounding of a sum must not give it a spread.
  return constant() ? low_ : sum_ / static_cast<long double>(count_);
}

long double ColumnSummary::sd() const {
  if (constant()) return 0;
  const auto n = static_cast<long double>(count_);
  return std::sqrt(std::max(0.0L, (squares_ - difference_ * difference_ / n) / n));
}

long double ColumnSummary::reach() const {
  const long double centre = mean();
  return std::max(high_ - centre, centre - low_);
}

ColumnScale boolean_scale(const ColumnSummary& column) {
  ColumnScale scale{ColumnProblem::none, true, 0, 0, 0, kOneStep, kOneStep};
  if (column.not_finite() != 0)
    scale.problem = ColumnProblem::not_finite;
  else if (column.beyond() != 0 || !column.holds_only_0_and_1())
    scale.problem = ColumnProblem::not_boolean;
  return scale;
}

ColumnScale two_valued_scale(const ColumnSummary& column, std::optional<int> fixed_exponent) {
  ColumnScale scale{unusable(column), true, column.low(), 0, 0, kOneStep, kOneStep};
  if (scale.problem != ColumnProblem::none) return scale;
  const long double distance = static_cast<long double>(column.high()) - column.low();
  const int own = distance > 0 ? std::ilogb(distance) : own_exponent(column);
  scale.problem = place(scale, fixed_exponent.value_or(own), column.low());
  if (scale.problem == ColumnProblem::none) scale.problem = set_step(scale, distance);
  return scale;
}

ColumnScale numeric_scale(const ColumnSummary& column, std::optional<int> fixed_exponent) {
  ColumnScale scale{unusable(column), false, 0, 0, 0, kOneStep, kOneStep};
  if (scale.problem != ColumnProblem::none) return scale;
  const int exponent = fixed_exponent.value_or(own_exponent(column));
  scale.problem = place(scale, exponent, column.mean());
  if (scale.problem == ColumnProblem::magnitude || column.constant()) return scale;
  if (fixed_exponent && std::ldexp(column.sd(), -exponent) < static_cast<long double>(kSmallestSpread))
    scale.problem = ColumnProblem::varies_too_little;
  if (scale.problem == ColumnProblem::none && !ends_fit(column, scale)) scale.problem = ColumnProblem::value_too_large;
  return scale;
}

ColumnScale source_scale(const ColumnSummary& column, bool boolean, std::optional<int> fixed_exponent) {
  if (boolean) return boolean_scale(column);
  const bool two_valued = column.two_valued() && !mutant(Mutant::sql_type_decides);
  return two_valued ? two_valued_scale(column, fixed_exponent) : numeric_scale(column, fixed_exponent);
}

long double rounded_mean(const ColumnScale& scale) {
  return std::ldexp(static_cast<long double>(scale.scaled_mean), scale.exponent - kMeanBits);
}

void require_encodable(const std::string& name, const ColumnSummary& column, const ColumnScale& scale) {
  const std::string quoted = "column \"" + name + "\"";
  const std::string agreed = "The agreed scale exponent is " + std::to_string(scale.exponent);
  switch (scale.problem) {
    case ColumnProblem::none:
      return;
    case ColumnProblem::not_finite:
      throw Error(ErrorCode::data_exception, quoted + " holds NaN or infinity",
                  std::to_string(column.not_finite()) + " of " + std::to_string(column.count() + column.unusable()) +
                      " values are not finite.",
                  "Exclude these records or set the values to NULL.");
    case ColumnProblem::not_boolean:
      throw Error(ErrorCode::data_exception, quoted + " is binary but holds a value other than 0 and 1",
                  "Boolean columns and columns declared binary hold 0 and 1 only.",
                  "Exclude these records or set the values to NULL.");
    case ColumnProblem::magnitude:
      throw Error(ErrorCode::out_of_range, quoted + " has values of a magnitude that cannot be encoded",
                  column.beyond() != 0 ? std::to_string(column.beyond()) + " values are beyond 1e100 in magnitude."
                                       : "Its scale exponent would be " + std::to_string(scale.exponent) +
                                             ", at most " + std::to_string(kMaxExponent) + " in magnitude.",
                  "Choose another unit for this column.");
    case ColumnProblem::mean_too_large:
      throw Error(ErrorCode::out_of_range, "the mean of " + quoted + " is too large for its spread",
                  "It is more than 1024 times the spread of the values, so they would lose most of their precision.",
                  "Choose another unit, or subtract a constant such as a typical value.");
    case ColumnProblem::varies_too_little:
      throw Error(ErrorCode::out_of_range, quoted + " varies too little for the agreed scale exponent",
                  agreed + (scale.binary ? "; its two values differ by less than that scale." : "."),
                  "Agree on a smaller scale exponent.");
    case ColumnProblem::value_too_large:
      throw Error(ErrorCode::out_of_range, quoted + " holds a value too large for the agreed scale exponent",
                  agreed + ".", "Agree on a larger scale exponent.");
  }
}

}  // namespace pgmpc
