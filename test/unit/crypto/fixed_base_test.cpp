// Compares powers with GMP's mpz functions, for a fixed base and for a secret exponent, and checks the length of the
// mask exponent. A shorter exponent would let the key owner recognise the randomness.
#include "bignum/fixed_base.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bignum/secret_power.h"
#include "crypto/paillier.h"
#include "support/test_keys.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

// Returns the same byte each time, which makes the largest and the smallest exponents.
class ConstantRng final : public Rng {
 public:
  explicit ConstantRng(std::uint8_t value) : value_(value) {}
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), value_); }

 private:
  std::uint8_t value_;
};

// Uses records (1, b) with random and extreme parts; the exponents are random, all zeros and all ones.
void check_powers(const Integer& root, std::size_t root_limbs, std::size_t bits, std::size_t memory,
                  std::size_t expected_records, std::size_t records, int threads = 1) {
  TestRng rng(1);
  SCOPED_TRACE(std::to_string(bits) + " bits, " + std::to_string(memory) + " bytes, " + std::to_string(records) +
               " of " + std::to_string(expected_records) + " records");
  const PairModulus modulus(root, root_limbs, Timing::variable);
  const std::size_t size = 2 * root_limbs;
  Integer square, base;
  mpz_mul(square, root, root);
  mpz_sub_ui(base, square, 2);  // -2: coprime to every odd root
  const FixedBase table(modulus, limbs_of(base, size), bits, memory, expected_records);
  const std::size_t limbs = table.exponent_limbs();
  ASSERT_EQ(limbs, (bits + 63) / 64);
  Limbs exponents(records * limbs), pairs(records * size), scratch(size), out(size);
  std::vector<Integer> expected(records);
  for (std::size_t i = 0; i < records; ++i) {
    Bytes random(limbs * 8), second(root_limbs * 8);
    if (i % 5 == 1) std::fill(random.begin(), random.end(), std::uint8_t{0xff});
    if (i % 5 != 1 && i % 5 != 3) rng.fill(random);
    if (i % 3 != 0) rng.fill(second);
    Integer exponent{ByteView(random)}, b{ByteView(second)};
    mpz_tdiv_r_2exp(exponent, exponent, bits);
    mpz_mod(b, b, root);
    if (i % 3 == 2) mpz_sub_ui(b, root, 1);
    std::copy_n(limbs_of(exponent, limbs).data(), limbs, exponents.data() + i * limbs);
    pairs[i * size] = 1;
    std::copy_n(limbs_of(b, root_limbs).data(), root_limbs, pairs.data() + i * size + root_limbs);
    mpz_powm(expected[i], base, exponent, square);
    mpz_mul(b, b, root);
    mpz_add_ui(b, b, 1);
    mpz_mul(expected[i], expected[i], b);
    mpz_mod(expected[i], expected[i], square);
  }
  ThreadPool pool(threads);
  table.multiply(pairs.data(), exponents.data(), records, pool, CancelToken());
  for (std::size_t i = 0; i < records; ++i) {
    EXPECT_LT(mpn_cmp(pairs.data() + i * size, limbs_of(root, root_limbs).data(), static_cast<mp_size_t>(root_limbs)),
              0);
    modulus.join(out.data(), pairs.data() + i * size, scratch.data());
    EXPECT_EQ(mpn_cmp(out.data(), limbs_of(expected[i], size).data(), static_cast<mp_size_t>(size)), 0) << i;
  }
}

void check_powers(std::size_t bits, std::size_t memory, std::size_t expected_records, std::size_t records,
                  int threads = 1) {
  check_powers(Integer(view_of(test_key().p())), 16, bits, memory, expected_records, records, threads);
}

TEST(FixedBase, AgreesWithPowm) {
  for (std::size_t bits : {1, 3, 6, 64, 127, 200})
    for (std::size_t records : {1, 7, 8, 9, 100}) {
      check_powers(bits, 0, records, records);
      check_powers(bits, kPaillierTableBytes, records, records);
      check_powers(bits, kPaillierTableBytes, kRecordsOneByOne, records);
    }
}

// Window widths from 4 to 14 bits, each with few records.
TEST(FixedBase, AgreesWithPowmForAllWidths) {
  const Integer p(view_of(test_key().p()));
  const PairModulus modulus(p, 16, Timing::variable);
  std::size_t widest = 0;
  for (std::size_t expected : {1, 20, 100, 300, 1'000, 3'000, 10'000, 30'000, 100'000, 300'000, 1'000'000}) {
    const FixedBase table(modulus, limbs_of(Integer(4ul), 32), 140, 2'000'000'000, expected);
    EXPECT_GE(table.window(), widest);
    widest = table.window();
    check_powers(140, 2'000'000'000, expected, 11);
  }
  EXPECT_EQ(widest, 14u);
}

TEST(FixedBase, ThreadsAgreeWithPowm) {
  for (int threads : {2, 3})
    for (std::size_t records : {1, 9, 100}) {
      check_powers(200, kPaillierTableBytes, records, records, threads);
      check_powers(200, 0, records, records, threads);
      check_powers(200, kPaillierTableBytes, kRecordsOneByOne, records, threads);
    }
}

// Moduli whose limbs are all ones or nearly all zeros, so carries run through all limbs.
TEST(FixedBase, AgreesWithPowmForExtremeRoots) {
  for (std::size_t bits : {1024, 1536, 2048, 3072, 4096}) {
    Integer ones, low(1ul);
    mpz_setbit(ones, bits);
    mpz_sub_ui(ones, ones, 1);
    mpz_setbit(low, bits - 1);
    check_powers(ones, bits / 64, 70, kPaillierTableBytes, 5'000, 9);
    check_powers(low, bits / 64, 70, kPaillierTableBytes, 5'000, 9);
  }
}

TEST(FixedBase, StopsWhenCancelled) {
  const Integer p(view_of(test_key().p()));
  const PairModulus modulus(p, 16, Timing::variable);
  const FixedBase table(modulus, limbs_of(Integer(4ul), 32), 64, 0, 8);
  Limbs pairs(32), exponents(1);
  ThreadPool pool(2);
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(table.multiply(pairs.data(), exponents.data(), 1, pool, cancel), Error);
}

TEST(FixedBase, StaysWithinItsMemory) {
  const Integer p(view_of(test_key().p()));
  const PairModulus modulus(p, 16, Timing::variable);
  const Limbs base = limbs_of(Integer(4ul), 32);
  std::size_t kept = 0, at_once = 0;
  for (std::size_t bytes : {4'000'000, 7'000'000, 10'000'000, 40'000'000}) {
    const FixedBase table(modulus, base, 1024, bytes, kRecordsOneByOne);
    EXPECT_LE(table.kept_bytes(), bytes);
    EXPECT_GT(table.kept_bytes(), kept);
    kept = table.kept_bytes();
    const FixedBase streamed(modulus, base, 1024, bytes, 1'000'000);
    EXPECT_EQ(streamed.kept_bytes(), 0u);
    EXPECT_LE(streamed.row_bytes(), bytes / 2);
    EXPECT_LE(streamed.records_at_once() * 512, bytes);
    EXPECT_GT(streamed.records_at_once(), at_once);
    at_once = streamed.records_at_once();
  }
}

// c^(p-1) modulo p^2 of 8 bases: the largest, 1, 2, p + 1 (L comes from the second part alone), a multiple of p, and
// random ones.
void check_secret_power(int bits) {
  TestRng rng(2);
  const auto n = static_cast<std::size_t>(bits) / 128;
  const Integer p(view_of(test_key("a", bits).p()));
  const PairModulus modulus(p, n, Timing::constant);
  const SecretPower power(p, modulus);
  const PairKernel& kernel = modulus.kernel();
  Integer square, order, low, high;
  mpz_mul(square, p, p);
  mpz_sub_ui(order, p, 1);
  KernelWords bases(kernel.batch_size()), out(kernel.batch_size()), scratch(power.scratch(kernel));
  std::vector<Integer> expected(kKernelLanes);
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
    Bytes random(static_cast<std::size_t>(bits) / 8);
    rng.fill(random);
    Integer base{ByteView(random)};
    if (lane == 0) mpz_sub_ui(base, square, 1);
    if (lane == 1 || lane == 2) mpz_set_ui(base, lane);
    if (lane == 3) mpz_add_ui(base, p, 1);
    if (lane == 4) mpz_mul_ui(base, p, 3);
    mpz_powm(expected[lane], base, order, square);
    mpz_mul_2exp(base, base, kernel.radix_bits());
    mpz_mod(base, base, square);
    mpz_tdiv_qr(high, low, base, p);
    kernel.load_part(bases.data(), lane, limbs_of(low, n).data());
    kernel.load_part(bases.data() + kernel.part_size(), lane, limbs_of(high, n).data());
  }
  KernelWork work = kernel.work();
  power.raise(out.data(), bases.data(), modulus, work, scratch.data());
  Limbs pair(2 * n), number(2 * n), rest(2 * n);
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
    kernel.store(pair.data(), out.data(), lane, work);
    modulus.join(number.data(), pair.data(), rest.data());
    if (lane == 4)
      EXPECT_NE(pair[0], 1u) << "a multiple of p must be told";
    else
      EXPECT_EQ(mpn_cmp(number.data(), limbs_of(expected[lane], 2 * n).data(), static_cast<mp_size_t>(2 * n)), 0)
          << bits << ", lane " << lane;
  }
}

TEST(SecretPower, AgreesWithPowm) {
  const KernelKind before = selected_kernel();
  for (const KernelKind kind : {KernelKind::ifma, KernelKind::avx2, KernelKind::portable}) {
    if ((kind == KernelKind::ifma && !ifma_supported()) || (kind == KernelKind::avx2 && !avx2_supported())) continue;
    select_kernel(kind);
    for (const int bits : {2048, 3072, 4096}) check_secret_power(bits);
  }
  select_kernel(before);
}

// Returns the bytes that a base is drawn from, then the same byte each time.
class BaseThenConstantRng : public Rng {
 public:
  explicit BaseThenConstantRng(std::uint8_t byte) : byte_(byte) {}
  void fill(std::span<std::uint8_t> out) override {
    std::fill(out.begin(), out.end(), std::exchange(first_, false) ? 0x5a : byte_);
  }

 private:
  std::uint8_t byte_;
  bool first_ = true;
};

TEST(MaskEncryptor, ExponentHas128BitsMoreThanN) {
  const auto& key = test_key().public_key();
  const Integer n(ByteView(key.n()));
  Integer square, exponent, expected;
  mpz_mul(square, n, n);
  // The first bytes drawn are x: the base is (x^2)^N.
  const Bytes drawn(256 + 16, 0x5a);
  Integer h{ByteView(drawn)};
  mpz_mul(h, h, h);
  mpz_powm(h, h, n, square);
  mpz_setbit(exponent, 2048 + 128);
  mpz_sub_ui(exponent, exponent, 1);
  mpz_powm(expected, h, exponent, square);
  mpz_addmul(expected, expected, n);  // times 1 + N: the plaintext is 1
  mpz_mod(expected, expected, square);
  Bytes plaintext(256), ciphertext(512), wanted(512);
  plaintext[255] = 1;
  expected.store(wanted);
  BaseThenConstantRng ones(0xff), zeros(0);
  ThreadPool pool(1);
  PaillierMaskEncryptor(key, ones).encrypt(plaintext, ciphertext, pool, CancelToken());
  EXPECT_EQ(ciphertext, wanted);
  PaillierMaskEncryptor(key, zeros).encrypt(plaintext, ciphertext, pool, CancelToken());
  Integer one_plus_n = n;
  mpz_add_ui(one_plus_n, one_plus_n, 1);
  one_plus_n.store(wanted);
  EXPECT_EQ(ciphertext, wanted);
}

// Own-key randomness is an N-th residue and a square of full order: with p' = (p-1)/2 and q' = (q-1)/2, rho^(p'q') = 1
// needs both factors.
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
