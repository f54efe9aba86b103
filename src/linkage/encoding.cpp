// Encodes columns (linkage/encoding.h) after a summary of their values.
#include "linkage/encoding.h"

#include <cmath>

#include "linkage/column_summary.h"

namespace pgmpc {
namespace {

constexpr std::int64_t kOne = std::int64_t{1} << kDataBits;

ColumnSummary summary_of(std::span<const double> values) {
  ColumnSummary out;
  for (const double x : values) out.add(x);
  return out;
}

// Encodes a column, or throws what require_encodable throws.
EncodedColumn encode(const std::string& name, std::span<const double> values, const ColumnSummary& column,
                     const ColumnScale& scale) {
  require_encodable(name, column, scale);
  EncodedColumn out;
  out.exponent = scale.exponent;
  out.scaled_mean = scale.scaled_mean;
  out.binary = scale.binary;
  out.step = scale.step;
  out.inverse_step = scale.inverse_step;
  out.values.reserve(values.size());
  const long double centre = rounded_mean(scale);
  for (const double x : values) {
    if (scale.binary)
      out.values.push_back(x == scale.low ? 0 : kOne);
    else
      out.values.push_back(column.constant() ? 0 : std::llround(std::ldexp(x - centre, kDataBits - scale.exponent)));
  }
  return out;
}

}  // namespace

EncodedColumn encode_two_valued(const std::string& name, std::span<const double> values,
                                std::optional<int> fixed_exponent) {
  const ColumnSummary column = summary_of(values);
  return encode(name, values, column, two_valued_scale(column, fixed_exponent));
}

EncodedColumn encode_source_column(const std::string& name, std::span<const double> values, bool boolean,
                                   std::optional<int> fixed_exponent) {
  const ColumnSummary column = summary_of(values);
  return encode(name, values, column, source_scale(column, boolean, fixed_exponent));
}

EncodedColumn encode_column(const std::string& name, std::span<const double> values, bool binary,
                            std::optional<int> fixed_exponent) {
  const ColumnSummary column = summary_of(values);
  return encode(name, values, column, binary ? boolean_scale(column) : numeric_scale(column, fixed_exponent));
}

}  // namespace pgmpc
