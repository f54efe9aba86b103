// Draws bases of the group that ciphertexts are randomised in.
// With a base of its own, a party does not depend on one that another party chose (rule B8).
//
// Terms
// square N-th residue: (x^2)^N mod N^2 for an x coprime to N; the random factor of a ciphertext.
#pragma once
#include "base/rng.h"
#include "bignum/mpz.h"

namespace pgmpc {

// Returns a random square N-th residue modulo n^2. With a modulus of two safe primes it generates all of them, except
// with negligible probability. It takes one exponentiation in variable time.
Integer draw_residue_base(const Integer& n, Rng& rng);

}  // namespace pgmpc
