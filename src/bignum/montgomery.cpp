// Implements bignum/montgomery.h.
#include "bignum/montgomery.h"

#include <algorithm>

namespace pgmpc {

mp_limb_t negative_inverse(mp_limb_t x) {
  mp_limb_t inverse = x;  // right in 3 bits; each step doubles their number
  for (int i = 0; i < 5; ++i) inverse *= 2 - x * inverse;
  return 0 - inverse;
}

mp_limb_t montgomery_reduce(mp_limb_t* product, mp_limb_t* q, const mp_limb_t* root, mp_size_t n, mp_limb_t k0) {
  for (mp_size_t i = 0; i < n; ++i) {
    q[i] = product[i] * k0;
    product[i] = mpn_addmul_1(product + i, root, n, q[i]);  // the limb has become 0 and takes the carry
  }
  return mpn_add_n(product + n, product + n, product, n);
}

mp_limb_t subtract_once(mp_limb_t* x, mp_limb_t& high, const mp_limb_t* root, std::size_t n, mp_limb_t* tmp) {
  const auto size = static_cast<mp_size_t>(n);
  const mp_limb_t borrow = mpn_sub_n(tmp, x, root, size);
  const mp_limb_t below = borrow & ((high - 1) >> 63);  // high is small, so (high - 1) has its top bit set only for 0
  mpn_cnd_add_n(below, x, tmp, root, size);
  high = high - borrow + below;
  return 1 - below;
}

SecretModulus::SecretModulus(const Integer& value, std::size_t limbs)
    : value_(limbs_of(value, limbs)), k0_(negative_inverse(value_[0])) {}

Limbs SecretModulus::form(const Integer& x) const {
  Integer value, out;
  mpz_import(value, value_.size(), -1, sizeof(mp_limb_t), 0, 0, value_.data());
  mpz_mul_2exp(out, x, 64 * size());
  mpz_mod(out, out, value);
  return limbs_of(out, size());
}

std::size_t SecretModulus::scratch() const {
  const auto n = static_cast<mp_size_t>(size());
  return static_cast<std::size_t>(3 * n + std::max(n, mpn_sec_mul_itch(n, n)));
}

// scratch holds the product (2n limbs), the quotient digits (n limbs), which subtract_once overwrites, and at 3n the
// scratch of mpn_sec_mul.
void SecretModulus::multiply(mp_limb_t* out, const mp_limb_t* a, const mp_limb_t* b, mp_limb_t* scratch) const {
  const auto n = static_cast<mp_size_t>(size());
  mpn_sec_mul(scratch, a, n, b, n, scratch + 3 * n);
  mp_limb_t high = montgomery_reduce(scratch, scratch + 2 * n, value_.data(), n, k0_);
  subtract_once(scratch + n, high, value_.data(), size(), scratch + 2 * n);
  std::copy_n(scratch + n, n, out);
}

}  // namespace pgmpc
