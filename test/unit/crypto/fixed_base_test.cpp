// What: the kernels against GMP's mpz functions: fixed-base powers, products modulo a square, and the length of the
//       mask exponent (a shorter one would leave the randomness recognisable to the key owner).
#include "crypto/fixed_base.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/paillier.h"
#include "crypto/square_modulus.h"
#include "support/test_keys.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

// Every byte the same: makes the largest and the smallest exponents.
class ConstantRng final : public Rng {
 public:
  explicit ConstantRng(std::uint8_t value) : value_(value) {}
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), value_); }

 private:
  std::uint8_t value_;
};

TEST(FixedBase, AgreesWithPowm) {
  TestRng rng(1);
  const Integer p(view_of(test_key().p()));
  const SquareModulus modulus(p, 16);
  Integer square, base;
  mpz_mul(square, p, p);
  mpz_sub_ui(base, square, 12345);
  for (std::size_t bits : {std::size_t{1}, std::size_t{6}, std::size_t{64}, std::size_t{127}, std::size_t{200}}) {
    const FixedBase table(modulus.square(), limbs_of(base, 32), bits);
    ASSERT_EQ(table.exponent_limbs(), (bits + 63) / 64);
    Limbs scratch(modulus.scratch()), out(32);
    for (int round = 0; round < 10; ++round) {
      Bytes random(table.exponent_limbs() * 8);
      if (round == 1) std::fill(random.begin(), random.end(), std::uint8_t{0xff});
      if (round > 1) rng.fill(random);
      Integer exponent{ByteView(random)}, expected;
      mpz_tdiv_r_2exp(exponent, exponent, bits);
      table.power(out.data(), limbs_of(exponent, table.exponent_limbs()).data(), scratch.data());
      mpz_powm(expected, base, exponent, square);
      EXPECT_EQ(mpn_cmp(out.data(), limbs_of(expected, 32).data(), 32), 0) << bits << " bits, round " << round;
    }
  }
}

TEST(SquareModulus, ScaleMultipliesByOnePlusRootTimesT) {
  TestRng rng(2);
  const Integer n(ByteView(test_key().public_key().n()));
  const SquareModulus modulus(n, 32);
  Integer square;
  mpz_mul(square, n, n);
  Limbs scratch(modulus.scratch());
  for (int round = 0; round < 20; ++round) {
    Bytes random(512 + 256);
    rng.fill(random);
    Integer x{ByteView(random).first(512)}, t{ByteView(random).last(256)}, expected;
    mpz_mod(x, x, square);
    mpz_mod(t, t, n);
    if (round == 0) mpz_sub_ui(x, square, 1);
    if (round <= 1) mpz_sub_ui(t, n, 1);
    if (round == 2) mpz_set_ui(t, 0);
    Limbs value = limbs_of(x, 64);
    modulus.scale(value.data(), limbs_of(t, 32).data(), scratch.data());
    mpz_mul(expected, n, t);
    mpz_add_ui(expected, expected, 1);
    mpz_mul(expected, expected, x);
    mpz_mod(expected, expected, square);
    EXPECT_EQ(mpn_cmp(value.data(), limbs_of(expected, 64).data(), 64), 0) << round;
  }
}

TEST(MaskEncryptor, ExponentHas128BitsMoreThanN) {
  const auto& key = test_key().public_key();
  const Integer n(ByteView(key.n())), h(ByteView(key.h_s()));
  Integer square, exponent, expected;
  mpz_mul(square, n, n);
  mpz_setbit(exponent, 2048 + 128);
  mpz_sub_ui(exponent, exponent, 1);
  mpz_powm(expected, h, exponent, square);
  mpz_addmul(expected, expected, n);  // times 1 + N: the plaintext is 1
  mpz_mod(expected, expected, square);
  Bytes plaintext(256), ciphertext(512), wanted(512);
  plaintext[255] = 1;
  expected.store(wanted);
  ConstantRng ones(0xff), zeros(0);
  ThreadPool pool(1);
  PaillierMaskEncryptor(key, ones).encrypt(plaintext, ciphertext, pool, CancelToken());
  EXPECT_EQ(ciphertext, wanted);
  PaillierMaskEncryptor(key, zeros).encrypt(plaintext, ciphertext, pool, CancelToken());
  Integer one_plus_n = n;
  mpz_add_ui(one_plus_n, one_plus_n, 1);
  one_plus_n.store(wanted);
  EXPECT_EQ(ciphertext, wanted);
}

// Own-key randomness: an N-th residue and a square, of full order: rho^(p'q') = 1 for p' = (p-1)/2, q' = (q-1)/2 only
// after both factors.
TEST(OwnEncryptor, RandomnessIsASquareNthResidueOfFullOrder) {
  TestRng rng(3);
  const auto& key = test_key();
  const Integer n(ByteView(key.public_key().n())), p(view_of(key.p())), q(view_of(key.q()));
  Integer square, p_half, q_half, order, power;
  mpz_mul(square, n, n);
  mpz_tdiv_q_2exp(p_half, p, 1);
  mpz_tdiv_q_2exp(q_half, q, 1);
  mpz_mul(order, p_half, q_half);
  const Bytes zero(256);
  Bytes ciphertext(512);
  ThreadPool pool(1);
  const PaillierOwnEncryptor own(key, rng);
  for (int i = 0; i < 5; ++i) {
    own.encrypt(zero, ciphertext, pool, CancelToken());  // the plaintext is 0: the ciphertext is rho
    const Integer rho{ByteView(ciphertext)};
    mpz_powm(power, rho, order, square);
    EXPECT_EQ(mpz_cmp_ui(static_cast<mpz_srcptr>(power), 1), 0);
    for (const Integer* part : {&p_half, &q_half}) {
      mpz_powm(power, rho, *part, square);
      EXPECT_NE(mpz_cmp_ui(static_cast<mpz_srcptr>(power), 1), 0);
    }
  }
}

}  // namespace
}  // namespace pgmpc
