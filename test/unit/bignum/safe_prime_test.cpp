// What: safe primes: what is drawn, and what the check tells apart, against GMP's own primality test.
#include "bignum/safe_prime.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

TEST(SafePrime, DrawnPrimesAreSafeAndHaveTheirShape) {
  TestRng rng(1);
  for (int i = 0; i < 10; ++i) {
    const SecretBytes bytes = draw_safe_prime(256, rng, CancelToken());
    const Integer p(view_of(bytes));
    Integer half;
    mpz_tdiv_q_2exp(half, p, 1);
    EXPECT_EQ(p.bits(), 256u);
    EXPECT_TRUE(mpz_tstbit(p, 254));
    EXPECT_EQ(mpz_fdiv_ui(p, 12), 11u);
    EXPECT_NE(mpz_probab_prime_p(p, 32), 0);
    EXPECT_NE(mpz_probab_prime_p(half, 32), 0);
  }
}

TEST(SafePrime, DrawsFollowTheGenerator) {
  TestRng one(2), same(2), other(3);
  const SecretBytes a = draw_safe_prime(256, one, CancelToken()), b = draw_safe_prime(256, same, CancelToken());
  EXPECT_TRUE(equal_constant_time(view_of(a), view_of(b)));
  EXPECT_FALSE(equal_constant_time(view_of(a), view_of(draw_safe_prime(256, other, CancelToken()))));
}

// Every odd number of a range, the check against GMP.
TEST(SafePrime, CheckAgreesWithGmp) {
  TestRng rng(4);
  int safe = 0, unsafe = 0;
  for (unsigned long value = 100003; value < 104000; value += 4) {  // 3 modulo 4
    const Integer p(value), half(value / 2);
    const bool p_prime = mpz_probab_prime_p(p, 32) != 0, half_prime = mpz_probab_prime_p(half, 32) != 0;
    const PrimeCheck check = check_safe_prime(limbs_of(p, 1), 16, rng);
    EXPECT_EQ(check == PrimeCheck::safe_prime, p_prime && half_prime) << value;
    EXPECT_EQ(check == PrimeCheck::not_safe, p_prime && !half_prime) << value;
    safe += check == PrimeCheck::safe_prime ? 1 : 0;
    unsafe += check == PrimeCheck::not_safe ? 1 : 0;
  }
  EXPECT_GT(safe, 5);
  EXPECT_GT(unsafe, 50);
}

// Strong pseudoprimes and Carmichael numbers in the place of (p-1)/2.
TEST(SafePrime, PseudoprimesAreNotPrimes) {
  TestRng rng(5);
  for (unsigned long half : {2047ul, 3277ul, 561ul, 1105ul, 3215031751ul, 3825123056546413051ul})
    EXPECT_NE(check_safe_prime(limbs_of(Integer(2 * half + 1), 1), 16, rng), PrimeCheck::safe_prime) << half;
}

TEST(SafePrime, DrawingIsCancelled) {
  TestRng rng(6);
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(draw_safe_prime(1024, rng, cancel), Error);
}

}  // namespace
}  // namespace pgmpc
