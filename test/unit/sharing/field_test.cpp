#include "sharing/field.h"

#include <gmp.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "sharing/shamir.h"
#include "support/message_of.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

// The product by GMP, the independent oracle.
u128 product_by_gmp(u128 a, u128 b) {
  mpz_t x, y, p;
  mpz_inits(x, y, p, nullptr);
  mpz_import(x, 1, -1, 16, 0, 0, &a);
  mpz_import(y, 1, -1, 16, 0, 0, &b);
  mpz_ui_pow_ui(p, 2, 127);
  mpz_sub_ui(p, p, 1);
  mpz_mul(x, x, y);
  mpz_mod(x, x, p);
  u128 out = 0;
  mpz_export(&out, nullptr, -1, 16, 0, 0, x);
  mpz_clears(x, y, p, nullptr);
  return out;
}

TEST(Field, ProductsAgreeWithGmp) {
  TestRng rng(1);
  std::vector<u128> operands = {
      0, 1, 2, kPrime - 1, kPrime - 2, kPrime >> 1, (kPrime >> 1) + 1, ~0ull, u128{1} << 64, u128{1} << 126};
  for (int i = 0; i < 200; ++i) operands.push_back(random_element(rng).v);
  for (u128 a : operands)
    for (u128 b : operands) ASSERT_TRUE((Fp::reduce(a) * Fp::reduce(b)).v == product_by_gmp(a, b));
}

TEST(Field, UnreducedSumsAgreeWithReducedOnes) {
  TestRng rng(2);
  std::vector<u128> terms = {0, 1, kPrime, kPrime + 1, ~static_cast<u128>(0), u128{1} << 127};
  for (int i = 0; i < 200; ++i) terms.push_back(random_element(rng).v << (i & 1) | static_cast<u128>(i & 2));
  EXPECT_TRUE(FpSum().value() == Fp{});
  FpSum down, up, mixed;
  Fp expected, alternating;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    expected += Fp::reduce(terms[i]);
    up.add(terms[i]);
    down.subtract(terms[i]);
    if (i % 2 == 0) {
      mixed.add(terms[i]);
      alternating += Fp::reduce(terms[i]);
    } else {
      mixed.subtract(terms[i]);
      alternating -= Fp::reduce(terms[i]);
    }
    ASSERT_TRUE(up.value().v == expected.v) << i;
    ASSERT_TRUE(down.value().v == (-expected).v) << i;
    ASSERT_TRUE(mixed.value().v == alternating.v) << i;
  }
}

TEST(Field, SumsAndSignsWrapAtThePrime) {
  EXPECT_TRUE((Fp::from_int(-1) + Fp::from_int(1)).v == 0);
  EXPECT_TRUE(Fp::from_int(-5).to_signed() == -5);
  EXPECT_TRUE((-Fp{}).v == 0);
  EXPECT_TRUE(Fp::reduce(kPrime).v == 0);
  EXPECT_TRUE(Fp::reduce(~static_cast<u128>(0)).v == 1);  // 2^128 - 1 = 2*(2^127 - 1) + 1
  const i128 most = static_cast<i128>(kPrime >> 1);
  EXPECT_TRUE(Fp::from_signed(most).to_signed() == most);
  EXPECT_TRUE(Fp::from_signed(-most).to_signed() == -most);
}

TEST(Field, InverseTimesValueIsOne) {
  TestRng rng(2);
  for (int i = 0; i < 50; ++i) {
    const Fp x = random_element(rng);
    EXPECT_TRUE((x * inverse(x)).v == 1);
  }
}

TEST(Shamir, EveryThresholdSubsetOpensTheSecret) {
  TestRng rng(3);
  const Fp secret = Fp::from_int(-123456789);
  const FpVector shares = shamir_split(secret, 3, 5, rng);
  for (int a = 1; a <= 5; ++a)
    for (int b = a + 1; b <= 5; ++b)
      for (int c = b + 1; c <= 5; ++c) {
        const std::pair<int, Fp> subset[] = {{a, shares[a - 1]}, {b, shares[b - 1]}, {c, shares[c - 1]}};
        EXPECT_TRUE(shamir_combine(subset, 3) == secret);
      }
}

TEST(Shamir, SharesBelowTheThresholdAreUniform) {
  // Top byte of the first share of two very different secrets: chi-square over 256 cells, alpha far below 1e-6.
  for (std::int64_t secret : {std::int64_t{0}, std::int64_t{1} << 62}) {
    TestRng rng(4);
    std::array<int, 128> cells{};
    const int runs = 12800;
    for (int i = 0; i < runs; ++i)
      ++cells[static_cast<std::size_t>(shamir_split(Fp::from_int(secret), 2, 3, rng)[0].v >> 120)];
    double chi = 0;
    for (int count : cells) chi += (count - 100.0) * (count - 100.0) / 100.0;
    EXPECT_LT(chi, 220) << "127 degrees of freedom: 220 is beyond 1e-6";
  }
}

TEST(Shamir, WrongSurplusShareIsNoticed) {
  TestRng rng(5);
  const FpVector shares = shamir_split(Fp::from_int(77), 2, 3, rng);
  std::pair<int, Fp> all[] = {{1, shares[0]}, {2, shares[1]}, {3, shares[2] + Fp::from_int(1)}};
  EXPECT_THROW(shamir_combine(all, 2), Error);
  all[2].second = shares[2];
  EXPECT_TRUE(shamir_combine(all, 2) == Fp::from_int(77));
}

TEST(Shamir, ImpossibleArgumentsAreErrors) {
  TestRng rng(6);
  EXPECT_THROW(shamir_split(Fp{}, 0, 3, rng), Error);
  EXPECT_THROW(shamir_split(Fp{}, 4, 3, rng), Error);
  EXPECT_THROW(shamir_split(Fp{}, 1, 256, rng), Error);
  const std::pair<int, Fp> twice[] = {{1, Fp{}}, {1, Fp{}}}, outside[] = {{0, Fp{}}, {1, Fp{}}}, few[] = {{1, Fp{}}};
  EXPECT_EQ(test::message_of([&] { shamir_combine(twice, 0); }), "two shares of the same party");
  EXPECT_EQ(test::message_of([&] { shamir_combine(outside, 0); }), "invalid party of a share");
  EXPECT_EQ(test::message_of([&] { shamir_combine({}, 0); }), "no shares to combine");
  EXPECT_THROW(shamir_combine(few, 2), Error);
}

// docs/protocol.md, "Example", test vectors of the source: shares of step 6 in units of 0.1.
TEST(Shamir, AdditiveSharesOfTheSourceBecomeShamirShares) {
  TestRng rng(7);
  const std::int64_t mine[] = {877854839, 57894712, -163547265, 840539066, 67690730, -9645437803};
  const std::int64_t other[] = {-877854827, -57894680, 163547282, -840539025, -67690658, 9645437823};
  const std::int64_t expected[] = {12, 32, 17, 41, 72, 20};
  for (int i = 0; i < 6; ++i) {
    const FpVector a = shamir_split(Fp::from_int(mine[i]), 2, 3, rng),
                   b = shamir_split(Fp::from_int(other[i]), 2, 3, rng);
    std::vector<std::pair<int, Fp>> sum;
    for (int party = 0; party < 3; ++party) sum.emplace_back(party + 1, a[party] + b[party]);
    EXPECT_TRUE(shamir_combine(sum, 2).to_signed() == expected[i]);
  }
}

}  // namespace
}  // namespace pgmpc
