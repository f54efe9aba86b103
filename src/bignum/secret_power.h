// What: c^(p-1) modulo p^2 for 8 bases at once with a secret prime p: decryption.
// Terms: bignum/kernel.h with root = p; c^(p-1) = 1 + root * L;
//        table = c^0 to c^15 as pairs (y_i, z_i) in Montgomery form, i. e. y_i (1 + root s_i) with s_i = z_i / y_i;
//        weight i = the sum of 16^w over the windows w of the exponent whose digit is i.
// Invariants: constant time: fixed windows of 4 bits, the same digit in all lanes, every table access reads the whole
//             table, one multiplication per window whatever its digit.
//   Only residues y_i are looked up: half the words to read, and products of 4 n^2 for 5.
//   What that leaves out is the factor 1 + root * (sum of s_i * weight i) in the end. No number is inverted for it: the
//   windows are those of p - 16, so the power they give is c^-15 modulo root, and y_(15-i) z_i c^-15 is s_i but for
//   powers of R, which the weights make up for.
#pragma once
#include "bignum/pair_modulus.h"

namespace pgmpc {

class SecretPower {
 public:
  // prime = root of `modulus`, above 16. Variable time.
  SecretPower(const Integer& prime, const PairModulus& modulus);
  std::size_t scratch(const PairKernel& kernel) const;  // KernelWords that raise() needs
  // out = base^(p-1), not in Montgomery form; base is in that form. A base that is a multiple of root gives a first
  // part other than 1. out and base do not overlap.
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
