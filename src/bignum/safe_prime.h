// Draws and recognises safe primes.
//
// Terms
// safe prime: a prime p with (p-1)/2 prime.
// window: consecutive candidates p0 + 12k, sieved together, from one random p0 = 11 (mod 12) with its two top bits set.
// All safe primes above 7 are 11 modulo 12.
//
// Invariants
// Every window starts afresh from the Rng. The kernel tests what the sieve leaves, 8 candidates at once and (p-1)/2
// first. Once that is prime, one Fermat test proves p: the known factor exceeds the square root of p.
//
// Security
// No scratch memory leaves this file uncleansed: candidates are Limbs, and the powers of the final check come from
// mpn_sec_powm. The running time shows how many candidates failed, but nothing else about them.
//
// Source
// H. Pocklington 1914; docs/design/paillier-kernels.md.
#pragma once
#include "base/cancel.h"
#include "base/rng.h"
#include "bignum/mpz.h"

namespace pgmpc {

// Returns a safe prime of exactly `bits` bits, big-endian. bits is a multiple of 64, at least 256. Throws
// Error(cancelled).
SecretBytes draw_safe_prime(int bits, Rng& rng, const CancelToken& cancel);

// A Fermat test of p, then Miller-Rabin on (p-1)/2 with `rounds` random bases; (p-1)/2 prime makes the first test a
// proof. p is odd, its top limb is not 0.
enum class PrimeCheck { safe_prime, not_prime, not_safe };
PrimeCheck check_safe_prime(const Limbs& p, int rounds, Rng& rng);

}  // namespace pgmpc
