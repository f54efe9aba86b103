// What the key owner can read from the randomness of the join's results. The owner knows p and q and made the
// randomness of every record itself.
// In the correct code all Jacobi symbols are +1, so they tell nothing. In the mutant with textbook randomness, the
// symbol of a record survives the masking and splits the records in two.
#include <gtest/gtest.h>

#include "base/mutants.h"
#include "bignum/mpz.h"
#include "crypto/paillier.h"
#include "support/test_keys.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

constexpr std::size_t kRecords = 120;

struct Symbols {
  int p = 0, q = 0;
  bool operator==(const Symbols&) const = default;
};

struct Outcome {
  std::size_t split = 0;  // records whose own symbols are not both +1
  std::size_t same = 0;   // results with the symbols of the record they came from
};

Symbols symbols_of(ByteView ciphertext) {
  const Integer c(ciphertext), p(view_of(test_key().p())), q(view_of(test_key().q()));
  return {mpz_jacobi(c, p), mpz_jacobi(c, q)};
}

Outcome attack(std::uint64_t seed) {
  TestRng rng(seed);
  ThreadPool pool(2);
  const CancelToken cancel;
  const auto& key = test_key();
  const std::size_t in = key.public_key().plaintext_size(), out = key.public_key().ciphertext_size();
  Bytes plaintexts(kRecords * in), records(kRecords * out), masks(kRecords * out), results(kRecords * out);
  for (std::size_t i = 0; i < kRecords; ++i)
    rng.fill(std::span<std::uint8_t>(plaintexts).subspan(i * in + in - 13, 13));
  PaillierOwnEncryptor(key, rng).encrypt(plaintexts, records, pool, cancel);
  PaillierMaskEncryptor(key.public_key(), rng).encrypt(plaintexts, masks, pool, cancel);
  PaillierEvaluator(key.public_key()).add(records, masks, results, pool, cancel);
  Outcome outcome;
  for (std::size_t i = 0; i < kRecords; ++i) {
    const Symbols own = symbols_of(ByteView(records).subspan(i * out, out));
    outcome.split += own == Symbols{1, 1} ? 0 : 1;
    outcome.same += own == symbols_of(ByteView(results).subspan(i * out, out)) ? 1 : 0;
  }
  return outcome;
}

TEST(Linkability, ResidueSymbolsAreAllOne) {
  const Outcome outcome = attack(11);
  EXPECT_EQ(outcome.split, 0u);
  EXPECT_EQ(outcome.same, kRecords);
}

TEST(Linkability, RerandomizedAndMultipliedCiphertextsStaySquares) {
  TestRng rng(12);
  ThreadPool pool(1);
  const CancelToken cancel;
  const auto& key = test_key();
  Bytes plaintext(key.public_key().plaintext_size()), c(key.public_key().ciphertext_size());
  PaillierOwnEncryptor(key, rng).encrypt(plaintext, c, pool, cancel);
  const PaillierEvaluator evaluator(key.public_key());
  for (int i = 0; i < 20; ++i) {
    c = evaluator.rerandomize(evaluator.multiply(c, i - 10), rng);
    EXPECT_EQ(symbols_of(c), (Symbols{1, 1}));
  }
}

// Exponents are uniform over the whole group, so finer invariants than the symbol tell nothing either. The group of
// squares modulo a safe prime has prime order, so no other small character exists. The validation of private keys
// requires safe primes.
TEST(Linkability, MutantTextbookRandomnessIsCaught) {
  active_mutant = Mutant::textbook_own_randomness;
  const Outcome outcome = attack(13);
  active_mutant = Mutant::none;
  EXPECT_EQ(outcome.same, kRecords) << "the symbol survives masking";
  EXPECT_GT(outcome.split, kRecords / 4) << "the mutant must split the records, or the attack tests nothing";
}

}  // namespace
}  // namespace pgmpc
