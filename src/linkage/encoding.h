// What: the encoding of a controller's columns as integers in local units.
// Terms: exponent e = ceil(log2 max(sd, max|x - mu| / 64)) over the controller's own rows: the column's unit is 2^e;
//        x_int = round((x - mu) * 2^(24 - e)); scaled mean = mu * 2^-e with 36 fractional bits;
//        two-valued column = at most two distinct values low <= high, whatever its SQL type: values enter as 0 (low)
//        and 1 (high), x_int = 0 or 2^24; then scaled mean = low * 2^-e and step = (high - low) * 2^-e, in [1, 2) with
//        e from the data; a boolean column has low = 0, e = 0 and step = 1. What is public is that a column has two
//        values, and e.
// Invariants: |x_int| <= 2^30 + 1; |mu| * 2^-e <= 2^10; e is public, everything else is secret. mu is the rounded mean
//             throughout, so that x = scaled_mean * 2^(e - 36) + step * x_int * 2^(e - 24) up to half a unit of
//             x_int; step is 1 for other columns.
//             Every refusal (column_summary.h) happens before anything is sent, and names the column.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/secret.h"

namespace pgmpc {

inline constexpr int kValueFractionBits = 24;
inline constexpr int kMeanFractionBits = 36;
inline constexpr int kStepFractionBits = 30;
inline constexpr int kMaxExponent = 256;  // |e|

struct EncodedColumn {
  SecretVector<std::int64_t> values;  // x_int per record
  int exponent = 0;
  std::int64_t scaled_mean = 0;
  bool binary = false;  // two-valued
  // Of a two-valued column, kStepFractionBits: step in [1, 64], and 1 / step.
  std::int64_t step = std::int64_t{1} << kStepFractionBits, inverse_step = step;
};

// Error(data_exception) for NaN and infinity (and values other than 0 and 1 in a binary column), Error(out_of_range)
// where a bound does not hold. A fixed exponent comes from the spec's scale_exponents and is ignored for binary
// columns.
EncodedColumn encode_column(const std::string& name, std::span<const double> values, bool binary,
                            std::optional<int> fixed_exponent = std::nullopt);

// Errors as above; a fixed exponent must leave step in [1, 64].
EncodedColumn encode_two_valued(const std::string& name, std::span<const double> values,
                                std::optional<int> fixed_exponent = std::nullopt);

// What the engine sends: the SQL type only decides that a boolean column has 0 and 1.
EncodedColumn encode_source_column(const std::string& name, std::span<const double> values, bool boolean,
                                   std::optional<int> fixed_exponent = std::nullopt);

}  // namespace pgmpc
