// What: powers against GMP's mpz functions, fixed-base and with a secret exponent, and the length of the
//       mask exponent (a shorter one would leave the randomness recognisable to the key owner).
#include "crypto/fixed_base.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "crypto/paillier.h"
#include "crypto/secret_power.h"
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

// All lanes, random exponents and the smallest and largest ones; one window count of each parity.
void check_powers(std::size_t bits, std::size_t table_bytes, std::size_t lanes) {
  TestRng rng(1);
  const Integer p(view_of(test_key().p()));
  const PairModulus modulus(p, 16, Timing::variable);
  const PairKernel& kernel = modulus.kernel();
  Integer square, base;
  mpz_mul(square, p, p);
  mpz_sub_ui(base, square, 12345);
  const FixedBase table(modulus, limbs_of(base, 32), bits, table_bytes);
  const std::size_t limbs = table.exponent_limbs(), size = kernel.batch_size();
  ASSERT_EQ(limbs, (bits + 63) / 64);
  Limbs exponents(lanes * limbs), pair(32), scratch(32), out(32);
  std::vector<Integer> expected(lanes);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    Bytes random(limbs * 8);
    if (lane == 1) std::fill(random.begin(), random.end(), std::uint8_t{0xff});
    if (lane != 1 && lane != 3) rng.fill(random);
    Integer exponent{ByteView(random)};
    mpz_tdiv_r_2exp(exponent, exponent, bits);
    std::copy_n(limbs_of(exponent, limbs).data(), limbs, exponents.data() + lane * limbs);
    mpz_powm(expected[lane], base, exponent, square);
  }
  KernelWork work = kernel.work(lanes);
  KernelWords power(size), plain(size), batches(2 * size);
  table.power(power.data(), exponents.data(), work, batches.data());
  kernel.multiply(plain.data(), power.data(), modulus.unit(), work);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    kernel.store(pair.data(), plain.data(), lane, work);
    modulus.join(out.data(), pair.data(), scratch.data());
    EXPECT_EQ(mpn_cmp(out.data(), limbs_of(expected[lane], 32).data(), 32), 0) << bits << " bits, lane " << lane;
  }
}

TEST(FixedBase, AgreesWithPowm) {
  for (std::size_t bits : {1, 6, 64, 127, 200})
    for (std::size_t lanes : {1, 3, 8}) {
      check_powers(bits, 0, lanes);
      check_powers(bits, kPaillierTableBytes, lanes);
    }
}

TEST(FixedBase, StaysWithinItsMemory) {
  const Integer p(view_of(test_key().p()));
  const PairModulus modulus(p, 16, Timing::variable);
  const Limbs base = limbs_of(Integer(4ul), 32);
  std::size_t before = 0;
  for (std::size_t bytes : {2'000'000, 4'000'000, 7'000'000, 40'000'000}) {
    const FixedBase table(modulus, base, 1024, bytes);
    EXPECT_LE(table.table_bytes(), bytes);
    EXPECT_GT(table.table_bytes(), before);
    before = table.table_bytes();
  }
}

TEST(SecretPower, AgreesWithPowm) {
  TestRng rng(2);
  const Integer p(view_of(test_key().p()));
  const PairModulus modulus(p, 16, Timing::constant);
  const PairKernel& kernel = modulus.kernel();
  const std::size_t size = kernel.batch_size();
  Integer square;
  mpz_mul(square, p, p);
  for (int round = 0; round < 4; ++round) {
    Bytes random(8 + 256);
    if (round == 0) random[7] = 1;  // the exponent 1
    if (round == 1) std::fill(random.begin(), random.end(), std::uint8_t{0xff});
    if (round > 1) rng.fill(random);
    const Integer exponent{ByteView(random).first(8)};
    Integer base{ByteView(random).last(256)}, expected;
    if (round == 0) mpz_sub_ui(base, square, 1);
    mpz_mod(base, base, square);
    mpz_powm(expected, base, exponent, square);
    const KernelWords spread = modulus.spread(limbs_of(base, 32));
    KernelWork work = kernel.work();
    KernelWords power(size), plain(size), batches(secret_power_scratch(kernel));
    secret_power(power.data(), spread.data(), limbs_of(exponent, 1), modulus, work, batches.data());
    kernel.multiply(plain.data(), power.data(), modulus.unit(), work);
    Limbs pair(32), out(32), scratch(32);
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
      kernel.store(pair.data(), plain.data(), lane, work);
      modulus.join(out.data(), pair.data(), scratch.data());
      EXPECT_EQ(mpn_cmp(out.data(), limbs_of(expected, 32).data(), 32), 0) << round;
    }
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
