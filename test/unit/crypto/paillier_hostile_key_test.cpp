// A key owner chooses its public key so that it recognises its own records in the sums that come back (rule B8).
// It knows the randomness of its records, recovers that of every sum, and compares what h_s cannot change.
//
// Terms
// hostile key: N = p q with 3 | p - 1 and 3 | q - 1, and h_s of order 3 modulo both. It passes the checks of a public
// key. Masks made with powers of h_s do not change the cube of the randomness.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/mutants.h"
#include "bignum/mpz.h"
#include "crypto/paillier.h"
#include "support/test_keys.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

constexpr std::size_t kRecords = 60, kMatched = 40, kBytes = 256;
constexpr unsigned long kOrder = 3;

// A prime = 1 modulo 3 of 1024 bits with its two top bits set.
Integer draw_prime(TestRng& rng) {
  Bytes random(kBytes / 2);
  rng.fill(random);
  random[0] |= 0xc0;
  Integer p{ByteView(random)};
  do mpz_nextprime(p, p);
  while (mpz_fdiv_ui(p, kOrder) != 1);
  return p;
}

// An element of order 3 modulo p^2.
Integer cube_root_of_one(const Integer& p, unsigned long start) {
  Integer square, exponent, out;
  mpz_mul(square, p, p);
  mpz_sub_ui(exponent, p, 1);
  mpz_mul(exponent, exponent, p);
  mpz_divexact_ui(exponent, exponent, kOrder);
  for (unsigned long base = start;; ++base) {
    mpz_set_ui(out, base);
    mpz_powm(out, out, exponent, square);
    if (mpz_cmp_ui(static_cast<mpz_srcptr>(out), 1) != 0) return out;
  }
}

struct HostileOwner {
  Integer p, q, n, square, order;
  Bytes encoded;  // of the public key

  explicit HostileOwner(TestRng& rng) : p(draw_prime(rng)), q(draw_prime(rng)) {
    mpz_mul(n, p, q);
    mpz_mul(square, n, n);
    Integer p1, q1;
    mpz_sub_ui(p1, p, 1);
    mpz_sub_ui(q1, q, 1);
    mpz_lcm(order, p1, q1);
    const Integer at_p = cube_root_of_one(p, 2), at_q = cube_root_of_one(q, 2);
    Integer p2, q2, h;
    mpz_mul(p2, p, p);
    mpz_mul(q2, q, q);
    mpz_invert(h, p2, q2);
    Integer difference;
    mpz_sub(difference, at_q, at_p);
    mpz_mul(h, h, difference);
    mpz_mod(h, h, q2);
    mpz_mul(h, h, p2);
    mpz_add(h, h, at_p);
    Bytes n_bytes(kBytes), h_bytes(2 * kBytes);
    n.store(n_bytes);
    h.store(h_bytes);
    Writer(encoded).u8(1).u16(kBytes * 8).raw(n_bytes).raw(h_bytes);
  }

  // (1 + mN) x^N with a random x.
  Bytes encrypt(unsigned long m, TestRng& rng) const {
    Bytes random(kBytes), out(2 * kBytes);
    rng.fill(random);
    Integer x{ByteView(random)}, c;
    mpz_powm(x, x, n, square);
    mpz_mul_ui(c, n, m);
    mpz_add_ui(c, c, 1);
    mpz_mul(c, c, x);
    mpz_mod(c, c, square);
    c.store(out);
    return out;
  }

  // The cube of a ciphertext's randomness modulo N: c = x^N modulo N.
  Integer invariant(ByteView ciphertext) const {
    Integer x(ciphertext), exponent;
    mpz_mod(x, x, n);
    mpz_invert(exponent, n, order);
    mpz_powm(x, x, exponent, n);
    mpz_powm_ui(x, x, kOrder, n);
    return x;
  }
};

// Returns how many matched records the owner recognises as its own.
std::size_t named(bool rerandomize) {
  TestRng rng(1);
  ThreadPool pool(1);
  const CancelToken cancel;
  const HostileOwner owner(rng);
  const PaillierPublicKey key = PaillierPublicKey::decode(owner.encoded);
  std::vector<Bytes> records;
  for (std::size_t i = 0; i < kRecords; ++i) records.push_back(owner.encrypt(1000 + i, rng));
  std::vector<std::size_t> order(kRecords);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = kRecords; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);

  SecretBytes masks(kMatched * kBytes);
  for (std::size_t k = 0; k < kMatched; ++k) rng.fill({masks.data() + (k + 1) * kBytes - 15, 15});
  Bytes encrypted(kMatched * 2 * kBytes), sums;
  PaillierMaskEncryptor(key, rng).encrypt(view_of(masks), encrypted, pool, cancel);
  for (std::size_t k = 0; k < kMatched; ++k)
    sums.insert(sums.end(), records[order[k]].begin(), records[order[k]].end());
  if (rerandomize) PaillierRerandomizer(key, rng, {kPaillierTableBytes, kMatched}).rerandomize(sums, pool, cancel);
  const PaillierEvaluator evaluator(key);
  evaluator.check_ciphertexts(sums, pool, cancel);
  evaluator.add(sums, encrypted, sums, pool, cancel);

  std::size_t right = 0;
  for (std::size_t k = 0; k < kMatched; ++k) {
    const Integer seen = owner.invariant(ByteView(sums).subspan(k * 2 * kBytes, 2 * kBytes));
    right += mpz_cmp(seen, owner.invariant(records[order[k]])) == 0;
  }
  return right;
}

TEST(HostileKey, AnOwnBaseOfTheMaskerHidesTheRecords) { EXPECT_EQ(named(false), 0u); }

TEST(HostileKey, BothRemediesHideTheRecords) { EXPECT_EQ(named(true), 0u); }

TEST(HostileKey, MutantMasksWithTheBaseOfTheKeyNameAll) {
  active_mutant = Mutant::bases_of_key;
  const std::size_t found = named(true);
  active_mutant = Mutant::none;
  EXPECT_EQ(found, kMatched) << "otherwise the attack tests nothing";
}

TEST(HostileKey, TheThirdPartysRandomnessAloneHidesTheRecords) {
  active_mutant = Mutant::masks_with_base_of_key;
  const std::size_t found = named(true), without = named(false);
  active_mutant = Mutant::none;
  EXPECT_EQ(found, 0u);
  EXPECT_EQ(without, kMatched);
}

// A rerandomised ciphertext decrypts to the same plaintext.
TEST(HostileKey, RerandomisationKeepsPlaintexts) {
  TestRng rng(2);
  ThreadPool pool(2);
  const CancelToken cancel;
  const PaillierPrivateKey& key = test_key();
  const std::size_t count = 19;
  SecretBytes values(count * kBytes), opened(count * kBytes);
  rng.fill(values);
  for (std::size_t i = 0; i < count; ++i) values[i * kBytes] = 0;
  Bytes ciphertexts(count * 2 * kBytes);
  PaillierOwnEncryptor(key, rng).encrypt(view_of(values), ciphertexts, pool, cancel);
  const Bytes before = ciphertexts;
  PaillierRerandomizer(key.public_key(), rng, {kPaillierTableBytes, 8}).rerandomize(ciphertexts, pool, cancel);
  for (std::size_t i = 0; i < count; ++i)
    EXPECT_FALSE(std::equal(before.begin() + static_cast<std::ptrdiff_t>(i * 2 * kBytes),
                            before.begin() + static_cast<std::ptrdiff_t>((i + 1) * 2 * kBytes),
                            ciphertexts.begin() + static_cast<std::ptrdiff_t>(i * 2 * kBytes)));
  PaillierDecryptor(key).decrypt(ciphertexts, opened, pool, cancel);
  EXPECT_EQ(opened, values);
}

}  // namespace
}  // namespace pgmpc
