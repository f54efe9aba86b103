// Converts exactly between the text of a numeric and big integers, for the cryptography in SQL.
//
// Terms
// The scale is the number of decimal places that are kept: a value v is carried as the integer v * 10^scale. places is
// the number of decimal places that a numeric displays.
//
// Invariants
// Nothing is rounded: a value with more non-zero decimal places than the scale is an error. No PostgreSQL is used here;
// the text comes from numeric_out and goes to numeric_in.
//
// Security
// Texts of values are cleansed.
#pragma once
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"
#include "sharing/field.h"

namespace pgmpc {

inline constexpr int kMaxDecimalScale = 1000;

// Error(invalid_parameter) unless 0 <= scale <= 1000.
void check_decimal_scale(int scale);

struct ScaledInteger {
  bool negative = false;
  SecretVector<char> digits;  // of the magnitude, without leading zeros; empty means zero
  int places = 0;             // decimal places that the text displayed
};

// Parses the text of a numeric to value * 10^scale. Error(invalid_parameter) when that is no integer,
// Error(out_of_range) for NaN, infinities and more than 2000 digits.
ScaledInteger parse_decimal(std::string_view text, int scale);

// Returns the text of (negative ? -1 : 1) * digits / 10^scale, followed by `places` zeros as decimal places.
SecretVector<char> decimal_text(bool negative, std::string_view digits, int scale, int places = 0);

// Returns the residue modulo the odd number n (big-endian, with the size of n). Error(out_of_range) unless
// 2 * |value| < n.
SecretBytes residue_of(const ScaledInteger& value, ByteView n);
// The reverse: returns the integer of smallest magnitude in the residue class, as the text of residue / 10^scale.
SecretVector<char> residue_text(ByteView residue, ByteView n, int scale);

// Reduces any integer into the field of the shares.
Fp field_element_of(const ScaledInteger& value);
// Error(out_of_range) unless |value| < 2^126. The signed reading of the element is then the value.
Fp signed_element_of(const ScaledInteger& value);
SecretVector<char> element_text(Fp element, int places);  // 0 .. 2^127-2
SecretVector<char> signed_text(Fp element, int scale);    // signed reading / 10^scale

}  // namespace pgmpc
