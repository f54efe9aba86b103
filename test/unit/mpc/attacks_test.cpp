// The attacks of the security review on the MPC layer, run on the real messages of three parties. Each must find
// nothing in the protocol and must succeed on its mutant, which shows that the test has power.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "mpc/comparison.h"
#include "mpc/dcf.h"
#include "mpc/input.h"
#include "mpc/opening.h"
#include "support/message_of.h"
#include "support/mpc_harness.h"

namespace pgmpc {
namespace {

// The party that deals coordinate 0, and its evaluators.
constexpr int kDealer = 0, kE1 = 1, kE2 = 2;

std::vector<Fp> elements(const Bytes& bytes) {
  std::vector<Fp> out;
  for (std::size_t i = 0; i * kFpBytes < bytes.size(); ++i) out.push_back(element(bytes, i));
  return out;
}

const Bytes& message(const MpcHarness& h, int from, int to) {
  for (const RecordedMessage& m : h.network().recording())
    if (m.from == from && m.to == to) return m.bytes;
  throw std::runtime_error("no such message");
}

// Blocks that a party can draw itself, because it holds the pairwise key.
SecretVector<u128> own_blocks(const MpcHarness& h, int party, Purpose purpose, int sender, int receiver,
                              const GateLabel& gate) {
  LoopbackNetwork unused;
  TestRng rng(1);
  CancelToken cancel;
  Session session(unused.party(party), 8, h.keys_for(party), rng, cancel);
  return session.blocks(purpose, sender, receiver, gate, 0, 1, 1);
}

constexpr GateLabel kGate{9, 0, 1};

// Rule F1. Evaluator e2 tries to strip e1's message a1 + f12 - f01 + R1 with what it knows. It guesses that R1 and f01
// are the same block. Then the sum f01 - R1 is a multiple of 2^125, and a1, hence the secret, follows.
int secrets_found_with_one_label_for_two_purposes() {
  int found = 0;
  for (int run = 0; run < 20; ++run) {
    MpcHarness h(100 + run, true);
    const i128 x = static_cast<i128>(h.rng().below(1ull << 60)) - (1ll << 59);
    const auto shares = h.deal({x});
    h.run([&](Session& s) { return truncate(s, kGate, shares[s.self()], 0, 70); });
    const Fp m1 = elements(message(h, kE1, kE2)).at(0);
    const Fp f12 = Fp::reduce(own_blocks(h, kE2, Purpose::zero, kE1, kE2, kGate)[0]);
    // a1 is the weighted share -3*share(e1): the weights are 3, -3, 1 at the parties 0, 1, 2
    for (unsigned top = 0; top < 8; ++top) {
      const Fp a1 = m1 - f12 + Fp::reduce(static_cast<u128>(top) << kMaskBits);
      const Fp share1 = a1 * inverse(Fp::from_int(-3));
      // line through the points 2 (e1) and 3 (e2), at 0
      const Fp guess = share1 * Fp::from_int(3) - shares[kE2][0] * Fp::from_int(2);
      if (guess.to_signed() == x) ++found;
    }
  }
  return found;
}

TEST(Attack, MaskAndZeroShareHaveTheirOwnLabels) { EXPECT_EQ(secrets_found_with_one_label_for_two_purposes(), 0); }

TEST(Attack, MutantOneLabelForMaskAndZeroShareLosesTheSecret) {
  WithMutant on(Mutant::opening_mask_reuses_zero_label);
  EXPECT_GE(secrets_found_with_one_label_for_two_purposes(), 15);
}

// Rule F4. The dealer's message to e1 is its additive share: without the zero sharing e1 interpolates.
int secrets_found_from_the_dealers_message() {
  int found = 0;
  for (int run = 0; run < 20; ++run) {
    MpcHarness h(200 + run, true);
    const i128 x = static_cast<i128>(h.rng().below(1ull << 60));
    const auto shares = h.deal({x});
    h.run([&](Session& s) { return truncate(s, kGate, shares[s.self()], 0, 70); });
    const Fp dealer_share = elements(message(h, kDealer, kE1)).at(0) * inverse(Fp::from_int(3));
    const Fp guess = dealer_share * Fp::from_int(2) - shares[kE1][0];  // points 1 and 2, at 0
    found += guess.to_signed() == x;
  }
  return found;
}

TEST(Attack, TheDealersMessageHidesItsShare) { EXPECT_EQ(secrets_found_from_the_dealers_message(), 0); }

TEST(Attack, MutantWithoutZeroSharingLosesEverySecret) {
  WithMutant on(Mutant::no_zero_sharing);
  EXPECT_EQ(secrets_found_from_the_dealers_message(), 20);
}

// Rule F2. With two openings under one session, the difference of the opened values is the difference of the secrets.
bool difference_of_openings_is_the_difference_of_secrets(std::uint64_t first_sid, std::uint64_t second_sid) {
  u128 opened[2];
  const i128 secrets[2] = {1000, 4321};
  for (int k = 0; k < 2; ++k) {
    MpcHarness h(k == 0 ? first_sid : second_sid);
    const auto shares = h.deal({secrets[k]});
    std::array<u128, kParties> c{};
    h.run([&](Session& s) {
      c[s.self()] = masked_open(s, kGate, shares[s.self()], 70).c[0];
      return 0;
    });
    opened[k] = c[kE1];
  }
  return static_cast<i128>(opened[1] - opened[0]) == secrets[1] - secrets[0];
}

TEST(Attack, FreshSessionsHideTheDifferenceOfTwoSecrets) {
  EXPECT_FALSE(difference_of_openings_is_the_difference_of_secrets(301, 302));
}
TEST(Attack, MutantReusedSessionRevealsTheDifference) {
  EXPECT_TRUE(difference_of_openings_is_the_difference_of_secrets(303, 303));
}

// An evaluator sees x + R1 + R2 with one mask unknown to it. Without masks it sees the secret itself.
bool evaluator_sees_the_secret() {
  MpcHarness h(310);
  const auto shares = h.deal({987654321});
  std::array<u128, kParties> c{};
  h.run([&](Session& s) {
    c[s.self()] = masked_open(s, kGate, shares[s.self()], 70).c[0];
    return 0;
  });
  return static_cast<i128>(c[kE1] - (static_cast<u128>(1) << 70)) == 987654321;
}

TEST(Attack, TheOpenedValueIsMasked) { EXPECT_FALSE(evaluator_sees_the_secret()); }
TEST(Attack, MutantWithoutMasksOpensTheSecret) {
  WithMutant on(Mutant::no_opening_mask);
  EXPECT_TRUE(evaluator_sees_the_secret());
}

// Rule F1. The dealer combines the two reshare messages that it gets. With one label for both directions the common
// mask cancels. A linear relation of the evaluators' additive outputs remains; it is checked with the known outputs.
bool reshare_messages_are_linearly_related(std::uint64_t seed) {
  MpcHarness h(seed, true);
  const auto shares = h.deal({12345});
  h.run([&](Session& s) {
    const std::vector<i128> zero = {0};
    return at_least(s, kGate, shares[s.self()], zero);
  });
  // The messages of the reshare round are the second ones from e1 and e2 to the dealer.
  std::map<int, std::vector<Bytes>> to_dealer;
  for (const RecordedMessage& m : h.network().recording())
    if (m.to == kDealer) to_dealer[m.from].push_back(m.bytes);
  const Fp u = elements(to_dealer[kE1].back()).at(0), w = elements(to_dealer[kE2].back()).at(0);
  // u = s1 (1 - d/e2) + F12 d/e2, w = s2 (1 - d/e1) + F21 d/e1 with points d = 1, e1 = 2, e2 = 3. With F12 = F21, 3u -
  // 2w = 2 s1 - s2, and s1 + s2 = 1 (the bit of 12345 >= 0). One of the two unknowns is left. The dealer made both
  // keys, so it can test candidates. The test reads s1 from the transcript of a second run with the same seeds.
  const Fp relation = u * Fp::from_int(3) - w * Fp::from_int(2);
  const Fp f12 = Fp::reduce(own_blocks(h, kE1, Purpose::reshare, kE1, kE2, kGate)[0]);
  const Fp s1 = (u * Fp::from_int(3) - f12) * inverse(Fp::from_int(2));
  const Fp s2 = Fp::from_int(1) - s1;
  return relation == s1 + s1 - s2;
}

TEST(Attack, ReshareMessagesOfTheTwoEvaluatorsAreUnrelated) {
  EXPECT_FALSE(reshare_messages_are_linearly_related(401));
}
TEST(Attack, MutantOneReshareLabelGivesTheDealerALinearRelation) {
  WithMutant on(Mutant::reshare_one_label);
  EXPECT_TRUE(reshare_messages_are_linearly_related(402));
}

// Rule F3. The dealer made the key. From an evaluator's raw output it could walk the whole tree and find the input, so
// GateOutput has no way to be sent. This test shows that the attack works on a raw output, and that the reshare message
// is no raw output.
TEST(Attack, ADealerThatSeesARawDcfOutputFindsTheInput) {
  TestRng rng(5);
  const DcfShape shape{12, 1};
  const Bytes public_key(16, 3);
  Dcf dcf(public_key);
  const u128 alphas[] = {1234};
  FpVector betas(1);
  betas[0] = Fp::from_int(1);
  Bytes first, second;
  dcf.generate(shape, alphas, betas, rng, first, second);
  std::vector<u128> domain;
  for (unsigned x = 0; x < (1u << shape.domain); ++x) domain.push_back(x);
  const FpVector table = dcf.evaluate(shape, 0, first, domain, static_cast<int>(domain.size()));
  auto inputs_behind = [&](Fp output) {
    std::vector<u128> out;
    for (u128 x : domain)
      if (table[static_cast<std::size_t>(x)] == output) out.push_back(x);
    return out;
  };
  const u128 input[] = {777};
  const FpVector raw = dcf.evaluate(shape, 0, first, input, 1);
  const auto found = inputs_behind(raw[0]);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0] == 777);
  const Fp masked = raw[0] + random_element(rng);  // what the reshare adds
  EXPECT_TRUE(inputs_behind(masked).empty());
}

// The dealer of a truncation receives nothing, the dealer of a comparison exactly two reshare elements (rule F3).
TEST(Attack, ADealerReceivesOnlyReshareElements) {
  MpcHarness h(500, true);
  const auto shares = h.deal({77});
  h.run([&](Session& s) { return truncate(s, kGate, shares[s.self()], 4, 40); });
  for (const RecordedMessage& m : h.network().recording()) EXPECT_NE(m.to, kDealer);
  MpcHarness g(501, true);
  const auto again = g.deal({77});
  g.run([&](Session& s) {
    const std::vector<i128> zero = {0};
    return at_least(s, kGate, again[s.self()], zero);
  });
  std::size_t bytes = 0;
  for (const RecordedMessage& m : g.network().recording())
    if (m.to == kDealer) bytes += m.bytes.size();
  EXPECT_EQ(bytes, 2 * kFpBytes);
}

// Rule F13, scaled down and exhaustive: the distribution of c = x + R1 + R2 given R1, over all masks, for a toy field
// (values of 2 bits, masks of 5 bits). The distance between two secrets stays within the bound that the session counts.
TEST(Exposure, ToyFieldDistanceEqualsTheBookedBound) {
  constexpr int kValue = 2, kMask = 5;
  double worst = 0;
  for (int x = -2; x < 2; ++x)
    for (int y = -2; y < 2; ++y) {
      std::map<int, int> difference;
      for (int r = 0; r < (1 << kMask); ++r) {
        ++difference[x + r];
        --difference[y + r];
      }
      int sum = 0;
      for (const auto& [c, count] : difference) sum += std::abs(count);
      worst = std::max(worst, sum / 2.0 / (1 << kMask));
    }
  EXPECT_DOUBLE_EQ(worst, 3.0 / 32);
  // The session's formula at these widths: 2^(bound+1) / 2^mask with bound = kValue - 1.
  EXPECT_LE(worst, std::ldexp(1.0, kValue - 1 + 1 - kMask));
}

TEST(Exposure, MoreThanTheBudgetIsRefused) {
  MpcHarness h(600);
  h.run([&](Session& s) {
    EXPECT_EQ(test::message_of([&] { s.add_exposure(1u << 20, 82); }),  // 2^20 * 2^-42 = 2^-22
              "the openings of this study would exceed the allowed statistical distance");
    return 0;
  });
}

}  // namespace
}  // namespace pgmpc
