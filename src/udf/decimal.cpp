// Implements exact conversion between decimal texts, residues modulo N and field elements.
#include "udf/decimal.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <memory>
#include <string>

#include "base/error.h"

namespace pgmpc {

namespace {

// Limits the quadratic conversions; a 4096-bit modulus has 1234 digits.
constexpr std::size_t kMaxDigits = 2000;

struct ClearBignum {
  void operator()(BIGNUM* number) const { BN_clear_free(number); }
};
using Bignum = std::unique_ptr<BIGNUM, ClearBignum>;

Bignum own(BIGNUM* number) {
  if (!number) throw std::bad_alloc();
  return Bignum(number);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_digits(SecretVector<char>& digits, std::string_view text) {
  for (char c : text) {
    if (!is_digit(c)) throw Error(ErrorCode::out_of_range, "value must be a finite number");
    if (c != '0' || !digits.empty()) digits.push_back(c);
  }
}

void check_no_rounding(std::string_view rest, int scale) {
  if (rest.find_first_not_of('0') == std::string_view::npos) return;
  throw Error(ErrorCode::invalid_parameter, "value has more decimal places than the scale",
              "The scale is " + std::to_string(scale) +
                  "; decimal places needed: " + std::to_string(scale + rest.find_last_not_of('0') + 1) + ".",
              "Round the value or give a larger scale.");
}

Bignum bignum_of(const SecretVector<char>& digits) {
  SecretVector<char> text = digits.clone();
  if (text.empty()) text.push_back('0');
  text.push_back('\0');
  BIGNUM* number = nullptr;
  if (BN_dec2bn(&number, text.data()) == 0) throw std::bad_alloc();
  return own(number);
}

Bignum bignum_of(ByteView bytes) { return own(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)); }

SecretVector<char> digits_of(u128 value) {
  SecretVector<char> digits;
  for (; value != 0; value /= 10) digits.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string_view view(const SecretVector<char>& digits) { return {digits.data(), digits.size()}; }

}  // namespace

void check_decimal_scale(int scale) {
  if (scale < 0 || scale > kMaxDecimalScale)
    throw Error(ErrorCode::invalid_parameter, "scale must be between 0 and " + std::to_string(kMaxDecimalScale),
                "The scale is " + std::to_string(scale) + ".");
}

ScaledInteger parse_decimal(std::string_view text, int scale) {
  check_decimal_scale(scale);
  ScaledInteger out;
  if (!text.empty() && text[0] == '-') {
    out.negative = true;
    text.remove_prefix(1);
  }
  const std::size_t point = std::min(text.find('.'), text.size());
  std::string_view whole = text.substr(0, point);
  std::string_view fraction = point < text.size() ? text.substr(point + 1) : std::string_view{};
  out.places = static_cast<int>(fraction.size());
  std::string_view kept = fraction.substr(0, std::min<std::size_t>(fraction.size(), scale));
  check_no_rounding(fraction.substr(kept.size()), scale);
  if (whole.size() + scale > kMaxDigits) throw Error(ErrorCode::out_of_range, "value has too many digits");
  out.digits.reserve(kMaxDigits);
  append_digits(out.digits, whole);
  append_digits(out.digits, kept);
  if (!out.digits.empty()) out.digits.insert(out.digits.end(), scale - kept.size(), '0');
  return out;
}

SecretVector<char> decimal_text(bool negative, std::string_view digits, int scale, int places) {
  SecretVector<char> text;
  text.reserve(digits.size() + scale + places + 4);
  if (negative && !digits.empty()) text.push_back('-');
  const std::size_t fraction = static_cast<std::size_t>(scale);
  const std::size_t whole = digits.size() > fraction ? digits.size() - fraction : 0;
  if (whole == 0) text.push_back('0');
  text.insert(text.end(), digits.begin(), digits.begin() + whole);
  if (fraction + places > 0) text.push_back('.');
  text.insert(text.end(), fraction - (digits.size() - whole), '0');
  text.insert(text.end(), digits.begin() + whole, digits.end());
  text.insert(text.end(), places, '0');
  return text;
}

SecretBytes residue_of(const ScaledInteger& value, ByteView n) {
  Bignum modulus = bignum_of(n), number = bignum_of(value.digits), twice = own(BN_new());
  if (BN_lshift1(twice.get(), number.get()) == 0) throw std::bad_alloc();
  if (BN_cmp(twice.get(), modulus.get()) >= 0)
    throw Error(ErrorCode::out_of_range, "value does not fit into a plaintext of this key",
                "The value times 10^scale must be smaller in magnitude than half of a modulus of " +
                    std::to_string(n.size() * 8) + " bits.");
  if (value.negative && BN_is_zero(number.get()) == 0 && BN_sub(number.get(), modulus.get(), number.get()) == 0)
    throw std::bad_alloc();
  SecretBytes residue(n.size());
  if (BN_bn2binpad(number.get(), residue.data(), static_cast<int>(residue.size())) < 0)
    throw Error(ErrorCode::internal, "a residue is larger than its modulus");
  return residue;
}

SecretVector<char> residue_text(ByteView residue, ByteView n, int scale) {
  Bignum modulus = bignum_of(n), number = bignum_of(residue), twice = own(BN_new());
  if (BN_lshift1(twice.get(), number.get()) == 0) throw std::bad_alloc();
  const bool negative = BN_cmp(twice.get(), modulus.get()) >= 0;
  if (negative && BN_sub(number.get(), modulus.get(), number.get()) == 0) throw std::bad_alloc();
  struct ClearText {
    void operator()(char* text) const { OPENSSL_clear_free(text, std::char_traits<char>::length(text)); }
  };
  std::unique_ptr<char, ClearText> text(BN_bn2dec(number.get()));
  if (!text) throw std::bad_alloc();
  return decimal_text(negative, BN_is_zero(number.get()) ? "" : text.get(), scale);
}

Fp field_element_of(const ScaledInteger& value) {
  Fp element;
  for (char c : value.digits) element = element * Fp::from_int(10) + Fp::from_int(c - '0');
  return value.negative ? -element : element;
}

Fp signed_element_of(const ScaledInteger& value) {
  constexpr u128 kBound = static_cast<u128>(1) << 126;
  u128 magnitude = 0;
  bool fits = value.digits.size() <= 38;  // 10^38 < 2^127: the sum below cannot overflow
  for (std::size_t i = 0; fits && i < value.digits.size(); ++i) magnitude = magnitude * 10 + (value.digits[i] - '0');
  if (!fits || magnitude >= kBound)
    throw Error(ErrorCode::out_of_range, "secret does not fit into a share",
                "The secret times 10^scale must be smaller in magnitude than 2^126.");
  return Fp::from_signed(value.negative ? -static_cast<i128>(magnitude) : static_cast<i128>(magnitude));
}

SecretVector<char> element_text(Fp element, int places) {
  return decimal_text(false, view(digits_of(element.v)), 0, places);
}

SecretVector<char> signed_text(Fp element, int scale) {
  const i128 value = element.to_signed();
  return decimal_text(value < 0, view(digits_of(static_cast<u128>(value < 0 ? -value : value))), scale);
}

}  // namespace pgmpc
