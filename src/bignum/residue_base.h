// What: bases of a group in which nobody else chose them.
// Terms: square N-th residue = (x^2)^N mod N^2 for an x coprime to N: what makes a ciphertext random.
#pragma once
#include "base/rng.h"
#include "bignum/mpz.h"

namespace pgmpc {

// A random square N-th residue. With a modulus of two safe primes it generates all of them, except with negligible
// probability. One exponentiation; variable time.
Integer draw_residue_base(const Integer& n, Rng& rng);

}  // namespace pgmpc
