// What: exact conversion between the text of a numeric and big integers, for the cryptography in SQL.
// Terms: scale = decimal places that are kept: a value v is carried as the integer v * 10^scale; places = decimal
//        places that a numeric displays.
// Invariants: nothing is ever rounded: a value with more non-zero decimal places than the scale is an error. No
//             PostgreSQL here; the text comes from numeric_out and goes to numeric_in. Texts of values are cleansed.
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
  SecretVector<char> digits;  // of the magnitude, no leading zeros; empty means zero
  int places = 0;             // that the text displayed
};

// value * 10^scale of the text of a numeric. Error(invalid_parameter) when that is no integer, Error(out_of_range)
// for NaN, infinities and more than 2000 digits.
ScaledInteger parse_decimal(std::string_view text, int scale);

// Text of (negative ? -1 : 1) * digits / 10^scale, with `places` zeros appended when scale is 0.
SecretVector<char> decimal_text(bool negative, std::string_view digits, int scale, int places = 0);

// Residue modulo the odd number n (big-endian, the size of n). Error(out_of_range) unless 2 * |value| < n.
SecretBytes residue_of(const ScaledInteger& value, ByteView n);
// The reverse: the integer of smallest magnitude in the residue class, as the text of residue / 10^scale.
SecretVector<char> residue_text(ByteView residue, ByteView n, int scale);

// Any integer, reduced into the field of the shares.
Fp field_element_of(const ScaledInteger& value);
// Error(out_of_range) unless |value| < 2^126: such a value is the signed reading of its field element.
Fp signed_element_of(const ScaledInteger& value);
SecretVector<char> element_text(Fp element, int places);  // 0 .. 2^127-2
SecretVector<char> signed_text(Fp element, int scale);    // signed reading / 10^scale

}  // namespace pgmpc
