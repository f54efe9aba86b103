// What: the encoding of a controller's columns as integers in local units.
// Terms: exponent e = ceil(log2 max(sd, max|x - mu| / 64)) over the controller's own rows: the column's unit is 2^e;
//        x_int = round((x - mu) * 2^(24 - e)); scaled mean = mu * 2^-e with 36 fractional bits;
//        binary column = values 0 and 1 sent raw: mu = 0, e = 0, x_int = x * 2^24.
// Invariants: |x_int| <= 2^30 + 1; |mu| * 2^-e <= 2^10; e is public, everything else is secret. mu is the rounded mean
//             throughout, so that x = scaled_mean * 2^(e - 36) + x_int * 2^(e - 24) up to half a unit of x_int.
//             Every refusal happens here, before anything is sent, and names the column.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/secret.h"

namespace pgmpc {

inline constexpr int kValueFractionBits = 24;
inline constexpr int kMeanFractionBits = 36;
inline constexpr int kMaxExponent = 256;  // |e|

struct EncodedColumn {
  SecretVector<std::int64_t> values;  // x_int per record
  int exponent = 0;
  std::int64_t scaled_mean = 0;
  bool binary = false;
};

// Error(data_exception) for NaN and infinity (and values other than 0 and 1 in a binary column), Error(out_of_range)
// where a bound does not hold. A fixed exponent comes from the spec's scale_exponents and is ignored for binary
// columns.
EncodedColumn encode_column(const std::string& name, std::span<const double> values, bool binary,
                            std::optional<int> fixed_exponent = std::nullopt);

}  // namespace pgmpc
