// What: the bodies of linkage/encoding.h. Moments are taken in long double: no column of doubles overflows there.
#include "linkage/encoding.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/mutants.h"

namespace pgmpc {

namespace {

constexpr double kSpreadOverUnit = 64;          // an outlier may lie this many units from the mean
constexpr double kMeanBound = 1024;             // |mu| * 2^-e
constexpr double kSmallestSpread = 1.0 / 4096;  // sd * 2^-e of a column with a fixed exponent

std::string quoted(const std::string& name) { return "column \"" + name + "\""; }

void check_finite(const std::string& name, std::span<const double> values) {
  const auto bad = std::count_if(values.begin(), values.end(), [](double x) { return !std::isfinite(x); });
  if (bad != 0)
    throw Error(ErrorCode::data_exception, quoted(name) + " holds NaN or infinity",
                std::to_string(bad) + " of " + std::to_string(values.size()) + " values are not finite.",
                "Exclude these records or set the values to NULL.");
}

EncodedColumn encode_binary(const std::string& name, std::span<const double> values) {
  EncodedColumn out;
  out.binary = true;
  out.values.reserve(values.size());
  for (double x : values) {
    if (x != 0 && x != 1)
      throw Error(ErrorCode::data_exception, quoted(name) + " is binary but holds a value other than 0 and 1",
                  "Boolean columns and columns declared binary hold 0 and 1 only.",
                  "Exclude these records or set the values to NULL.");
    out.values.push_back(static_cast<std::int64_t>(x) << kValueFractionBits);
  }
  return out;
}

struct Moments {
  long double mean = 0, sd = 0, reach = 0;  // reach = max|x - mean|
};

Moments moments_of(std::span<const double> values) {
  Moments m;
  if (values.empty()) return m;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (*low == *high) {  // exactly constant: no rounding of a sum may give it a spread
    m.mean = *low;
    return m;
  }
  for (double x : values) m.mean += x;
  m.mean /= static_cast<long double>(values.size());
  long double squares = 0;
  for (double x : values) {
    const long double d = x - m.mean;
    squares += d * d;
    m.reach = std::max(m.reach, std::fabs(d));
  }
  m.sd = std::sqrt(squares / static_cast<long double>(values.size()));
  return m;
}

// The smallest e with x <= 2^e, for x > 0.
int ceil_log2(long double x) {
  int exponent = 0;
  const long double fraction = std::frexp(x, &exponent);  // [0.5, 1)
  return fraction == 0.5L ? exponent - 1 : exponent;
}

int exponent_of(const Moments& m) {
  const long double unit = std::max(m.sd, m.reach / static_cast<long double>(kSpreadOverUnit));
  if (unit > 0) return ceil_log2(unit);
  if (m.mean == 0) return 0;
  return ceil_log2(std::fabs(m.mean)) - 10;  // constant: any unit that keeps the mean within its bound
}

void check_exponent(const std::string& name, int exponent) {
  if (exponent < -kMaxExponent || exponent > kMaxExponent)
    throw Error(ErrorCode::out_of_range, quoted(name) + " has values of a magnitude that cannot be encoded",
                "Its scale exponent would be " + std::to_string(exponent) + ", at most " +
                    std::to_string(kMaxExponent) + " in magnitude.",
                "Choose another unit for this column.");
}

std::int64_t scaled_mean_of(const std::string& name, const Moments& m, int exponent) {
  const long double scaled = std::ldexp(m.mean, -exponent);
  if (!(std::fabs(scaled) <= static_cast<long double>(kMeanBound)))
    throw Error(ErrorCode::out_of_range, "the mean of " + quoted(name) + " is too large for its spread",
                "It is more than 1024 times what the values differ by, and little would be left of them.",
                "Choose a unit or subtract a constant, such as a typical value.");
  return std::llround(std::ldexp(scaled, kMeanFractionBits));
}

void check_fixed_exponent(const std::string& name, const Moments& m, int exponent) {
  if (m.reach > 0 && std::ldexp(m.sd, -exponent) < static_cast<long double>(kSmallestSpread))
    throw Error(ErrorCode::out_of_range, quoted(name) + " varies too little for the agreed scale exponent",
                "The agreed scale exponent is " + std::to_string(exponent) + ".", "Agree on a smaller scale exponent.");
}

}  // namespace

bool has_two_values(std::span<const double> values) {
  std::optional<double> other;
  for (const double x : values) {
    if (x == values[0]) continue;
    if (other && x != *other) return false;
    other = x;
  }
  return true;
}

EncodedColumn encode_two_valued(const std::string& name, std::span<const double> values,
                                std::optional<int> fixed_exponent) {
  check_finite(name, values);
  const Moments m = moments_of(values);
  EncodedColumn out;
  out.binary = true;
  out.values.resize(values.size());
  const double low = values.empty() ? 0 : *std::min_element(values.begin(), values.end());
  const double high = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  const long double distance = static_cast<long double>(high) - low;
  const int own = distance > 0 ? std::ilogb(distance) : exponent_of(m);
  out.exponent = fixed_exponent.value_or(own);
  check_exponent(name, out.exponent);
  Moments lowest;
  lowest.mean = low;
  out.scaled_mean = scaled_mean_of(name, lowest, out.exponent);
  if (distance > 0) {
    const long double step = std::ldexp(distance, -out.exponent);
    if (step < 1)
      throw Error(ErrorCode::out_of_range, quoted(name) + " varies too little for the agreed scale exponent",
                  "The agreed scale exponent is " + std::to_string(out.exponent) + "; its two values differ by less.",
                  "Agree on a smaller scale exponent.");
    if (step > static_cast<long double>(kSpreadOverUnit))
      throw Error(ErrorCode::out_of_range, quoted(name) + " holds a value too large for the agreed scale exponent",
                  "The agreed scale exponent is " + std::to_string(out.exponent) + ".",
                  "Agree on a larger scale exponent.");
    out.step = std::llround(std::ldexp(step, kStepFractionBits));
    out.inverse_step = std::llround(std::ldexp(1 / step, kStepFractionBits));
  }
  // A constant column is all low.
  for (std::size_t i = 0; i < values.size(); ++i)
    out.values[i] = values[i] == low ? 0 : std::int64_t{1} << kValueFractionBits;
  return out;
}

EncodedColumn encode_source_column(const std::string& name, std::span<const double> values, bool boolean,
                                   std::optional<int> fixed_exponent) {
  check_finite(name, values);
  const bool two_valued = !boolean && has_two_values(values) && !mutant(Mutant::sql_type_decides);
  return two_valued ? encode_two_valued(name, values, fixed_exponent)
                    : encode_column(name, values, boolean, fixed_exponent);
}

EncodedColumn encode_column(const std::string& name, std::span<const double> values, bool binary,
                            std::optional<int> fixed_exponent) {
  check_finite(name, values);
  if (binary) return encode_binary(name, values);

  const Moments m = moments_of(values);
  EncodedColumn out;
  out.exponent = fixed_exponent.value_or(exponent_of(m));
  check_exponent(name, out.exponent);
  if (fixed_exponent) check_fixed_exponent(name, m, out.exponent);
  out.scaled_mean = scaled_mean_of(name, m, out.exponent);

  const long double centre = std::ldexp(static_cast<long double>(out.scaled_mean), out.exponent - kMeanFractionBits);
  const bool constant = m.reach == 0;
  const long double limit = std::ldexp(kSpreadOverUnit, kValueFractionBits) + 1;  // 2^30, and the mean's rounding
  out.values.reserve(values.size());
  for (double x : values) {
    const long double scaled = constant ? 0 : std::ldexp(x - centre, kValueFractionBits - out.exponent);
    if (!(std::fabs(scaled) <= limit))
      throw Error(ErrorCode::out_of_range, quoted(name) + " holds a value too large for the agreed scale exponent",
                  "The agreed scale exponent is " + std::to_string(out.exponent) + ".",
                  "Agree on a larger scale exponent.");
    out.values.push_back(std::llround(scaled));
  }
  return out;
}

}  // namespace pgmpc
