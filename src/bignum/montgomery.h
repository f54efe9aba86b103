// Montgomery's reduction for single numbers in constant time.
// The portable kernel uses it. So does decryption, for products modulo a secret number on the way into and out of the
// residues modulo p and q.
//
// Terms
// R: 2^(64n) for a modulus of n limbs. REDC(x): x / R modulo the modulus.
//
// Security
// Only the constant-time functions of GMP are used: mpn_addmul_1, mpn_add_n, mpn_sub_n, the mpn_cnd and the mpn_sec
// functions. mpn_sec_div is not used with a secret divisor, because it looks up the top bits of the divisor in a table.
//
// Source
// P. Montgomery 1985; docs/design/paillier-kernels.md.
#pragma once
#include "bignum/mpz.h"

namespace pgmpc {

// -1/x modulo 2^64 for an odd x.
mp_limb_t negative_inverse(mp_limb_t x);
// Reduces product (2n limbs): REDC(product) is left in its upper half, and the carry above it is returned. q receives
// the quotient digits (n limbs). k0 = negative_inverse(root[0]). Result + carry * R < (product + R * root) / R.
mp_limb_t montgomery_reduce(mp_limb_t* product, mp_limb_t* q, const mp_limb_t* root, mp_size_t n, mp_limb_t k0);
// Subtracts root once from x + high * R unless that is below root, in constant time. Returns 1 if it subtracted. tmp: n
// limbs.
mp_limb_t subtract_once(mp_limb_t* x, mp_limb_t& high, const mp_limb_t* root, std::size_t n, mp_limb_t* tmp);

// An odd modulus that is secret, or belongs to a secret one. form() and the constructor take variable time.
class SecretModulus {
 public:
  SecretModulus(const Integer& value, std::size_t limbs);  // the top limb of value is not 0
  std::size_t size() const { return value_.size(); }
  const Limbs& limbs() const { return value_; }
  // x * R modulo the value. With a factor in this form, multiply() returns the plain product.
  Limbs form(const Integer& x) const;
  std::size_t scratch() const;  // limbs that multiply needs
  // out = a * b / R modulo the value, for any a of size() limbs and b below the value; out may alias a or b.
  void multiply(mp_limb_t* out, const mp_limb_t* a, const mp_limb_t* b, mp_limb_t* scratch) const;

 private:
  Limbs value_;
  mp_limb_t k0_;
};

}  // namespace pgmpc
