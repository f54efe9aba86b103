// Implements bignum/mpz.h.
#include "bignum/mpz.h"

#include <algorithm>

#include "base/error.h"

namespace pgmpc {

void Integer::store(std::span<std::uint8_t> out) const {
  if (mpz_sgn(value_) < 0 || (bits() + 7) / 8 > out.size())
    throw Error(ErrorCode::internal, "a number does not fit its field");
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  const std::size_t size = (bits() + 7) / 8;
  if (size != 0) mpz_export(out.data() + out.size() - size, nullptr, 1, 1, 1, 0, value_);
}

void limbs_from_bytes(mp_limb_t* limbs, std::size_t n, const std::uint8_t* big_endian) {
  for (std::size_t i = 0; i < n; ++i) {
    mp_limb_t limb = 0;
    for (std::size_t b = 0; b < 8; ++b) limb = limb << 8 | big_endian[8 * (n - 1 - i) + b];
    limbs[i] = limb;
  }
}

void bytes_from_limbs(std::uint8_t* big_endian, const mp_limb_t* limbs, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t b = 0; b < 8; ++b)
      big_endian[8 * (n - 1 - i) + b] = static_cast<std::uint8_t>(limbs[i] >> (56 - 8 * b));
}

Limbs limbs_of(ByteView big_endian) {
  if (big_endian.size() % 8 != 0) throw Error(ErrorCode::internal, "a number has an invalid size");
  Limbs limbs(big_endian.size() / 8);
  limbs_from_bytes(limbs.data(), limbs.size(), big_endian.data());
  return limbs;
}

Limbs limbs_of(const Integer& value, std::size_t n) {
  const mpz_srcptr number = value;
  if (mpz_sgn(number) < 0 || mpz_size(number) > n) throw Error(ErrorCode::internal, "a number does not fit its field");
  Limbs limbs(n);
  std::copy_n(mpz_limbs_read(number), mpz_size(number), limbs.data());
  return limbs;
}

void Modulus::multiply(mp_limb_t* out, const mp_limb_t* a, const mp_limb_t* b, mp_limb_t* scratch) const {
  const auto n = static_cast<mp_size_t>(size());
  mp_limb_t *product = scratch, *quotient = scratch + 2 * n;
  if (a == b)
    mpn_sqr(product, a, n);
  else
    mpn_mul_n(product, a, b, n);
  mpn_tdiv_qr(quotient, out, 0, product, 2 * n, limbs(), n);
}

void Modulus::reduce(mp_limb_t* out, const mp_limb_t* a, std::size_t n, mp_limb_t* scratch) const {
  mpn_tdiv_qr(scratch, out, 0, a, static_cast<mp_size_t>(n), limbs(), static_cast<mp_size_t>(size()));
}

}  // namespace pgmpc
