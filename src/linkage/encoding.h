// Encodes a controller's columns as integers in local units.
//
// Terms
// exponent: e = ceil(log2 max(sd, max|x - mu| / 64)) over the controller's own rows. The unit of the column is 2^e.
// x_int = round((x - mu) * 2^(24 - e)).
// scaled mean: mu * 2^-e with 36 fractional bits.
// two-valued column: at most two distinct values low <= high, whatever its SQL type (rule B3). Values enter as 0 (low)
// and 1 (high), so x_int = 0 or 2^24. Then scaled mean = low * 2^-e and step = (high - low) * 2^-e, which is in [1, 2)
// with e from the data. A boolean column has low = 0, e = 0 and step = 1. Public are e and the fact that the column has
// two values.
//
// Invariants
// The bounds are |x_int| <= 2^30 + 1 and |mu| * 2^-e <= 2^10. e is public, everything else is secret. mu is the rounded
// mean throughout, so x = scaled_mean * 2^(e - 36) + step * x_int * 2^(e - 24) up to half a unit of x_int. step is 1
// for other columns.
// Every refusal (column_summary.h) happens before anything is sent, and names the column (rule F8).
//
// Source
// docs/design/linkage.md.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/limits.h"
#include "base/secret.h"

namespace pgmpc {

struct EncodedColumn {
  SecretVector<std::int64_t> values;  // x_int per record
  int exponent = 0;
  std::int64_t scaled_mean = 0;
  bool binary = false;  // two-valued
  // Of a two-valued column, with kStepBits: step in [1, 64], and 1 / step.
  std::int64_t step = std::int64_t{1} << kStepBits, inverse_step = step;
};

// Encodes a column that is not two-valued, or with `binary` a boolean one. Throws Error(data_exception) for NaN and
// infinity, and for values other than 0 and 1 in a binary column. Throws Error(out_of_range) where a bound does not
// hold. A fixed exponent comes from the spec's scale_exponents; binary columns ignore it.
EncodedColumn encode_column(const std::string& name, std::span<const double> values, bool binary,
                            std::optional<int> fixed_exponent = std::nullopt);

// Throws the same errors. A fixed exponent must leave step in [1, 64].
EncodedColumn encode_two_valued(const std::string& name, std::span<const double> values,
                                std::optional<int> fixed_exponent = std::nullopt);

// What the engine sends: the SQL type only decides that a boolean column holds 0 and 1.
EncodedColumn encode_source_column(const std::string& name, std::span<const double> values, bool boolean,
                                   std::optional<int> fixed_exponent = std::nullopt);

}  // namespace pgmpc
