// c^(p-1) modulo p^2 for 8 bases at once with a secret prime p, which is Paillier decryption.
//
// Terms
// As in bignum/kernel.h with root = p. c^(p-1) = 1 + root * L.
// table: c^0 to c^15 as pairs (y_i, z_i) in Montgomery form, that is y_i (1 + root s_i) with s_i = z_i / y_i.
// weight i: the sum of 16^w over the windows w of the exponent whose digit is i.
//
// Invariants
// Constant time: windows have 4 bits, all lanes use the same digit, every table access reads the whole table, and each
// window costs one multiplication whatever its digit.
// Only residues y_i are looked up. That halves the words to read, and a product takes 4 n^2 instead of 5 n^2. It leaves
// out the factor 1 + root * (sum of s_i * weight i), which is multiplied in at the end. No number is inverted for it.
// The windows are those of p - 16, so the power they give is c^-15 modulo root. Then y_(15-i) z_i c^-15 is s_i up to
// powers of R, for which the weights compensate.
#pragma once
#include "bignum/pair_modulus.h"

namespace pgmpc {

class SecretPower {
 public:
  // prime: the root of `modulus`, above 16. Takes variable time.
  SecretPower(const Integer& prime, const PairModulus& modulus);
  std::size_t scratch(const PairKernel& kernel) const;  // KernelWords that raise() needs
  // out = base^(p-1), not in Montgomery form; base is in that form. If base is a multiple of root, the first part of
  // out is not 1. out and base do not overlap.
  void raise(KernelWord* out, const KernelWord* base, const PairModulus& modulus, KernelWork& work,
             KernelWord* scratch) const;
#ifdef PG_MPC_CTIME
  void mark_secrets() const;
#endif

 private:
  Limbs windows_;        // p - 16
  KernelWords weights_;  // parts, times R
};

}  // namespace pgmpc
