// A party sends something other than its share: which openings notice it, and that the error names the phase and no
// value. Every case also runs with the checks switched off. Then the wrong share is accepted and the result is wrong.
#include <gtest/gtest.h>

#include "base/error.h"
#include "mpc/comparison.h"
#include "mpc/dcf.h"
#include "mpc/opening.h"
#include "support/mpc_harness.h"

namespace pgmpc {
namespace {

constexpr GateLabel kChecked{9, 0, 1};
constexpr std::size_t kValues = 12;
const std::vector<i128> kThreshold = {0};

std::string name_of_phase(std::uint16_t) { return "rehearsal"; }

struct Fault {
  std::string name;
  int from, to;              // whose message
  int number;                // which of its messages to that peer
  std::size_t first, count;  // bytes changed
};
constexpr std::size_t kMasked = 8 * kFpBytes;  // at the front of a first message; the keys follow

enum class Outcome { right, wrong, noticed };

// All parties compute bits of known values and open them; one message is changed on its way.
Outcome run(const Fault* fault, std::uint64_t seed) {
  MpcHarness h(seed);
  RangeProbe::enable(false);
  if (fault != nullptr)
    h.network().set_tamper([fault, count = 0](RecordedMessage& m) mutable {
      if (m.from != fault->from || m.to != fault->to || count++ != fault->number) return;
      for (std::size_t i = fault->first; i < fault->first + fault->count; ++i)
        m.bytes.at(i) = static_cast<std::uint8_t>(m.bytes[i] * 5 + 91 + i);
    });
  std::vector<i128> x;
  for (std::size_t i = 0; i < kValues; ++i) x.push_back(i % 2 == 0 ? 5 : -5);
  const auto shares = h.deal(x);
  std::array<std::vector<bool>, kParties> seen;
  try {
    h.run([&](Session& s) {
      s.name_phases(name_of_phase);
      const FpVector bits = at_least(s, kChecked, shares[s.self()], kThreshold);
      for (std::size_t i = 0; i < kValues; ++i) seen[s.self()].push_back(open_bit(s, 9, {&bits[i], 1}));
      return 0;
    });
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::inconsistent_shares) << e.message();
    EXPECT_NE(e.message().find("in phase rehearsal"), std::string::npos) << e.message();
    const std::string text = e.message() + e.detail();
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    for (std::size_t i = 1; i < text.size(); ++i) EXPECT_FALSE(digit(text[i - 1]) && digit(text[i])) << text;
    return Outcome::noticed;
  }
  for (const auto& bits : seen)
    for (std::size_t i = 0; i < kValues; ++i)
      if (bits[i] != (x[i] >= 0)) return Outcome::wrong;
  return Outcome::right;
}

const Fault kFaults[] = {
    {"MaskedValueOfTheOtherEvaluator", 1, 2, 0, 0, kMasked},
    {"MaskedValueOfTheDealer", 0, 1, 0, 0, kMasked},
    {"ComparisonKey", 0, 2, 0, kMasked, 4 * DcfShape{82, 1}.key_bytes()},
    {"ConstantBesideTheKey", 0, 2, 0, kMasked + 4 * DcfShape{82, 1}.key_bytes(), 4 * kFpBytes},
    {"ResharedOutput", 1, 0, 1, 0, kFpBytes},
    {"OpenedShare", 1, 2, 2, 0, kFpBytes},
};

class WrongShare : public testing::TestWithParam<Fault> {};

TEST_P(WrongShare, StopsTheStudyAndNamesThePhase) {
  for (std::uint64_t seed = 700; seed < 705; ++seed) EXPECT_EQ(run(&GetParam(), seed), Outcome::noticed) << seed;
}

TEST_P(WrongShare, MutantWithoutChecksGoesOn) {
  WithMutant on(Mutant::unchecked_openings);
  for (std::uint64_t seed = 700; seed < 705; ++seed) EXPECT_EQ(run(&GetParam(), seed), Outcome::wrong) << seed;
}

INSTANTIATE_TEST_SUITE_P(Faults, WrongShare, testing::ValuesIn(kFaults),
                         [](const auto& param) { return param.param.name; });

TEST(Consistency, RightMessagesPass) {
  for (std::uint64_t seed = 700; seed < 720; ++seed) EXPECT_EQ(run(nullptr, seed), Outcome::right) << seed;
}

// Where no other share is left to compare with, a small error in a masked value stays in the range of the mask.
// docs/security_model.md says so; this test keeps that statement true.
TEST(Consistency, ASmallErrorInAMaskedValueIsNotNoticed) {
  MpcHarness h(730);
  RangeProbe::enable(false);
  h.network().set_tamper([](RecordedMessage& m) {
    if (m.from == 0 && m.bytes.size() >= kFpBytes) store(load(m.bytes.data()) + Fp::from_int(1000), m.bytes.data());
  });
  const auto shares = h.deal({64000});
  const auto y = MpcHarness::reveal(h.run([&](Session& s) { return truncate(s, kChecked, shares[s.self()], 0, 40); }));
  EXPECT_TRUE(y[0] == 65000);
}

// What each phase sent, and in how many rounds, exactly.
TEST(Traffic, IsCountedByPhase) {
  MpcHarness h(740);
  const auto shares = h.deal(std::vector<i128>(3, 7));
  h.run([&](Session& s) {
    const FpVector y = truncate(s, {3, 0, 1}, shares[s.self()], 0, 40);
    truncate(s, {3, 0, 2}, y, 0, 40);
    const FpVector bits = at_least(s, {4, 0, 1}, y, kThreshold);
    open(s, 5, bits);
    return 0;
  });
  const Transcript& t = h.transcript(1);
  EXPECT_EQ(t.rounds, 5);
  ASSERT_EQ(t.phases.size(), 3u);
  const Traffic &truncations = t.phases.at(3), &comparison = t.phases.at(4), &opening = t.phases.at(5);
  EXPECT_EQ(truncations.rounds, 2);
  EXPECT_EQ(truncations.elements_sent, 2 * 4);  // as dealer to both, as evaluator to the other one, twice
  EXPECT_EQ(truncations.bytes_sent, truncations.elements_sent * static_cast<std::int64_t>(kFpBytes));
  EXPECT_EQ(comparison.rounds, 2);
  EXPECT_EQ(comparison.elements_sent, 4 + 1 + 2);  // the opening, the dealer's constant, two reshared outputs
  const DcfShape shape{82, 1};
  EXPECT_EQ(comparison.bytes_sent, static_cast<std::int64_t>((4 + 1 + 2) * kFpBytes + 2 * shape.key_bytes()));
  EXPECT_EQ(opening.rounds, 1);
  EXPECT_EQ(opening.elements_sent, 2 * 3);
  EXPECT_EQ(t.elements_sent, truncations.elements_sent + comparison.elements_sent + opening.elements_sent);
  EXPECT_EQ(t.bytes_sent, truncations.bytes_sent + comparison.bytes_sent + opening.bytes_sent);
}

}  // namespace
}  // namespace pgmpc
