// Tests an approved peer that violates the protocol. For every kind of wrong message, the receiving party says who sent
// what, the others learn that the attempt is over, and no party has a result.
#include <gtest/gtest.h>
#include <openssl/bn.h>

#include <algorithm>
#include <cmath>

#include "base/mutants.h"
#include "support/study_harness.h"

namespace pgmpc {
namespace {

constexpr std::size_t kRecords = 110;
constexpr std::size_t kCiphertext = 512;  // bytes, for keys of 2048 bits
constexpr std::size_t kPublicKey = 1 + 2 + 256 + 512;

test::Records side(int which) {
  test::Records out;
  TestRng rng(40 + static_cast<std::uint64_t>(which));
  out.names = which == 0 ? std::vector<std::string>{"x1", "x2"} : std::vector<std::string>{"x3", "y"};
  out.columns.resize(2);
  for (std::size_t i = 0; i < kRecords; ++i) {
    out.identifiers.push_back(std::to_string(100 + i));
    for (auto& column : out.columns) column.push_back(static_cast<double>(rng.below(1000)) / 1000);
  }
  return out;
}

constexpr const char* kHostileSpec = R"({
  "controllers": {"erasmus_mc": {"attributes": ["x1", "x2"]},
                  "zilveren_kruis": {"attributes": ["x3"], "outcome": "y"}},
  "third_party": "zorgttp", "key_bits": 2048, "analysis": {"kind": "lasso", "lambda": 0.01}})";

// Changes one message: the first of a direction and step that has this size (0: any size).
struct Deviation {
  const char* name;
  int from, to, step;
  std::size_t size;
  std::function<void(Bytes& message, const Bytes& modulus)> change;
  const char* detail;  // part of the receiver's error detail
  int passed = 0;      // how many such messages pass unchanged before
};

void put_first_ciphertext(Bytes& message, const Bytes& value) {
  std::fill_n(message.begin(), kCiphertext, std::uint8_t{0});
  std::copy(value.rbegin(), value.rend(), std::make_reverse_iterator(message.begin() + kCiphertext));
}

Bytes multiple(const Bytes& modulus, const Bytes* factor, unsigned long word) {
  BIGNUM* n = BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr);
  BIGNUM* f = factor ? BN_bin2bn(factor->data(), static_cast<int>(factor->size()), nullptr) : BN_new();
  if (!factor) BN_set_word(f, word);
  BN_CTX* context = BN_CTX_new();
  BN_mul(n, n, f, context);
  Bytes out(static_cast<std::size_t>(BN_num_bytes(n)));
  BN_bn2bin(n, out.data());
  BN_free(n);
  BN_free(f);
  BN_CTX_free(context);
  return out;
}

constexpr std::size_t kBlock = kRecords * kCiphertext;

std::vector<Deviation> deviations() {
  auto zero = [](Bytes& m, const Bytes&) { put_first_ciphertext(m, {}); };
  auto n = [](Bytes& m, const Bytes& modulus) { put_first_ciphertext(m, modulus); };
  auto seven_n = [](Bytes& m, const Bytes& modulus) { put_first_ciphertext(m, multiple(modulus, nullptr, 7)); };
  auto square = [](Bytes& m, const Bytes& modulus) { put_first_ciphertext(m, multiple(modulus, &modulus, 0)); };
  auto largest = [](Bytes& m, const Bytes&) { std::fill(m.begin(), m.end(), std::uint8_t{0xff}); };
  auto shorter = [](Bytes& m, const Bytes&) { m.pop_back(); };
  auto longer = [](Bytes& m, const Bytes&) { m.push_back(0); };
  auto empty = [](Bytes& m, const Bytes&) { m.clear(); };
  return {
      {"half of the joint key of another size", 0, 1, 2, 0, shorter, "half of the joint key"},
      {"check value of another joint key", 0, 1, 2, 32, [](Bytes& m, const Bytes&) { m[0] ^= 1; },
       "the controllers' joint keys differ", 1},
      {"no records", 0, 2, 4, 8, [](Bytes& m, const Bytes&) { std::fill(m.begin(), m.end(), std::uint8_t{0}); },
       "records"},
      {"too many records", 1, 2, 4, 8, [](Bytes& m, const Bytes&) { m[2] = 1; }, "records"},
      {"a hash too few", 0, 2, 4, kRecords * 32, [](Bytes& m, const Bytes&) { m.resize(m.size() - 32); }, "hashed"},
      {"a hash twice", 1, 2, 4, kRecords * 32,
       [](Bytes& m, const Bytes&) { std::copy_n(m.begin(), 32, m.begin() + 32); }, ""},
      {"hashes out of order", 1, 2, 4, kRecords * 32,
       [](Bytes& m, const Bytes&) { std::swap_ranges(m.begin(), m.begin() + 32, m.begin() + 64); }, ""},
      {"more matched than there are", 2, 0, 4, 0, [](Bytes& m, const Bytes&) { m.back() = 255; },
       "invalid match count"},
      {"neither refused nor matched", 2, 1, 4, 0,
       [](Bytes& m, const Bytes&) { std::fill(m.begin(), m.end(), std::uint8_t{0}); }, "match announcement"},
      {"even modulus", 0, 2, 4, kPublicKey, [](Bytes& m, const Bytes&) { m[258] &= 0xfe; }, "N is even"},
      {"key cut off", 1, 2, 4, kPublicKey, shorter, "truncated"},
      {"key of another size", 0, 1, 4, kPublicKey,
       [](Bytes& m, const Bytes&) {
         m[1] = 4;
         m[2] = 0;
       },
       "public key"},
      {"ciphertext 0", 0, 2, 4, kBlock, zero, "between 0 and N squared"},
      {"ciphertext N", 0, 2, 4, kBlock, n, "factor in common with N"},
      {"ciphertext 7 N", 1, 2, 4, kBlock, seven_n, "factor in common with N"},
      {"ciphertext N squared", 1, 2, 4, kBlock, square, "between 0 and N squared"},
      {"a block of ciphertexts too long", 0, 2, 4, kBlock, longer, "wrong size"},
      {"mask N", 0, 2, 5, kBlock, n, "factor in common with N"},
      {"largest masks", 1, 2, 5, kBlock, largest, "between 0 and N squared"},
      {"sum 0", 2, 0, 6, kBlock, zero, "between 0 and N squared"},
      {"sums of another size", 2, 1, 6, kBlock, shorter, "wrong size"},
      {"no column description", 0, 2, 7, 0, empty, ""},
      {"shares of another size", 1, 0, 7, kRecords * 16 * 4, shorter, ""},
      {"analysis: nothing", 0, 1, 8, 0, empty, ""},
      {"analysis: too much", 1, 2, 8, 0, longer, ""},
  };
}

class HostilePeer : public ::testing::Test {
 protected:
  void TearDown() override { dishonest = nullptr; }
};

TEST_F(HostilePeer, IsNamedAndNobodyHasAResult) {
  const Spec spec = parse_spec(kHostileSpec);
  for (const Deviation& deviation : deviations()) {
    SCOPED_TRACE(deviation.name);
    std::mutex mutex;
    Bytes moduli[2];  // of the controllers' keys
    bool done = false;
    int seen = 0;
    dishonest = [&](int from, int to, int step, Bytes& message) {
      std::lock_guard lock(mutex);
      if (step == 4 && message.size() == kPublicKey) moduli[from] = Bytes(message.begin() + 3, message.begin() + 259);
      const bool meant = from == deviation.from && to == deviation.to && step == deviation.step &&
                         (deviation.size == 0 || message.size() == deviation.size);
      if (!meant || done || seen++ < deviation.passed) return;
      done = true;
      // Masks are encrypted under the other controller's key, sums under the receiver's.
      const int owner = step == 5 ? 1 - from : step == 6 ? to : std::min(from, 1);
      deviation.change(message, moduli[owner]);
    };
    test::StudyHarness harness(kHostileSpec, side(0), side(1));
    EXPECT_THROW(harness.run(), Error);
    ASSERT_TRUE(done);
    for (int party = 0; party < kParties; ++party) {
      SCOPED_TRACE(party);
      EXPECT_TRUE(harness.results[party].coefficients.empty());
      ASSERT_TRUE(harness.failures[party]);
      const Error& failure = *harness.failures[party];
      if (party != deviation.to) {
        EXPECT_EQ(failure.code(), ErrorCode::peer_stopped) << failure.message() << ": " << failure.detail();
        continue;
      }
      EXPECT_EQ(failure.code(), ErrorCode::protocol_violation) << failure.message() << ": " << failure.detail();
      EXPECT_EQ(failure.message(),
                "party " + spec.party_name(deviation.from) + " sent data that the protocol does not allow");
      EXPECT_NE(failure.detail().find(deviation.detail), std::string::npos) << failure.detail();
    }
  }
}

// Shares with wrong values look like right ones (docs/security_model.md: passive adversaries). Still all parties must
// end with the same outcome, and a party that fails must have no result.
TEST_F(HostilePeer, GarbageSharesEndTheStudyForAllAlike) {
  for (int step : {7, 8}) {
    SCOPED_TRACE(step);
    TestRng rng(9);
    std::mutex mutex;
    int changed = 0;
    dishonest = [&](int from, int to, int at, Bytes& message) {
      std::lock_guard lock(mutex);
      if (from != 0 || to != 1 || at != step || message.size() < 16 || ++changed > 3) return;
      rng.fill(message);
    };
    test::StudyHarness harness(kHostileSpec, side(0), side(1));
    try {
      harness.run();
    } catch (const Error&) {
    }
    EXPECT_GE(changed, 1);
    for (int party = 0; party < kParties; ++party) {
      EXPECT_EQ(harness.failures[party] == nullptr, harness.failures[0] == nullptr) << party;
      EXPECT_EQ(harness.results[party].coefficients.empty(), harness.failures[party] != nullptr) << party;
      if (harness.failures[party]) {
        EXPECT_FALSE(harness.failures[party]->message().empty());
      }
    }
  }
}

// Without a deviation the study is released, so the failures above are due to the deviations.
TEST_F(HostilePeer, WithoutAnyTheStudyIsReleased) {
  test::StudyHarness harness(kHostileSpec, side(0), side(1));
  harness.run();
  for (const auto& result : harness.results) EXPECT_EQ(result.coefficients.size(), 4u);
}

}  // namespace
}  // namespace pgmpc
