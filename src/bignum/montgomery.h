// What: Montgomery's reduction for single numbers in constant time: what the portable kernel stands on, and products
//       modulo a secret number (decryption's way into and out of the residues modulo p and q).
// Terms: R = 2^(64n) for a modulus of n limbs; REDC(x) = x / R modulo the modulus.
// Invariants: GMP's mpn_addmul_1, mpn_add_n, mpn_sub_n, mpn_mul and mpn_cnd functions in their constant-time forms
// only.
//   GMP's mpn_sec_div functions are not used with a secret divisor: they look up the top bits of the divisor in a
//   table.
#pragma once
#include "bignum/mpz.h"

namespace pgmpc {

// -1/x modulo 2^64, x odd.
mp_limb_t negative_inverse(mp_limb_t x);
// product (2n limbs) = REDC(product) * R: the result stands in its upper half; returns the carry above it. The quotient
// digits (n limbs) go to q. k0 = negative_inverse(root[0]). Result + carry * R < (product + R * root) / R.
mp_limb_t montgomery_reduce(mp_limb_t* product, mp_limb_t* q, const mp_limb_t* root, mp_size_t n, mp_limb_t k0);
// x + high * R loses root once if it is not below root; constant time. Returns 1 if it did. tmp: n limbs.
mp_limb_t subtract_once(mp_limb_t* x, mp_limb_t& high, const mp_limb_t* root, std::size_t n, mp_limb_t* tmp);

// An odd modulus that is a secret, or belongs to one. Set-up (form, the constructor) takes variable time.
class SecretModulus {
 public:
  SecretModulus(const Integer& value, std::size_t limbs);  // its top limb is not 0
  std::size_t size() const { return value_.size(); }
  const Limbs& limbs() const { return value_; }
  // x * R modulo the value: with such a factor multiply() gives the plain product.
  Limbs form(const Integer& x) const;
  std::size_t scratch() const;  // limbs that multiply needs
  // out = a * b / R modulo the value, for any a of size() limbs and b below the value; out may alias a or b.
  void multiply(mp_limb_t* out, const mp_limb_t* a, const mp_limb_t* b, mp_limb_t* scratch) const;

 private:
  Limbs value_;
  mp_limb_t k0_;
};

}  // namespace pgmpc
