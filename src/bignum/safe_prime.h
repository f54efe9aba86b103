// What: safe primes: drawing one and recognising one.
// Terms: safe prime = prime p with (p-1)/2 prime; window = consecutive candidates p0 + 12k sieved together, from one
//        random p0 = 11 (mod 12) with its two top bits set (all safe primes above 7 are 11 modulo 12).
// Invariants: every window starts afresh from the Rng; what the sieve leaves is tested 8 candidates at once by the
//             kernel, (p-1)/2 first, and once it is prime one Fermat test proves p (Pocklington, the known factor
//             exceeds the square root of p). No scratch memory leaves this file uncleansed: candidates live in Limbs,
//             the powers of the final check come from mpn_sec_powm. The time says how many candidates failed, and
//             nothing else is known of those.
#pragma once
#include "base/cancel.h"
#include "base/rng.h"
#include "bignum/mpz.h"

namespace pgmpc {

// bits a multiple of 64, at least 256; the result is big-endian.
SecretBytes draw_safe_prime(int bits, Rng& rng, const CancelToken& cancel);

// Miller-Rabin on (p-1)/2 with `rounds` random bases, then the proof of p from it. p odd, its top limb not 0.
enum class PrimeCheck { safe_prime, not_prime, not_safe };
PrimeCheck check_safe_prime(const Limbs& p, int rounds, Rng& rng);

}  // namespace pgmpc
