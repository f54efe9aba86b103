// Tests a rehearsal between three parties in one process: what each party learns, creates and sends.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cmath>
#include <map>

#include "base/mutants.h"
#include "support/study_harness.h"

namespace pgmpc {
namespace {

using test::Records;
using test::StudyHarness;

constexpr const char* kRehearsedSpec =
    R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": "y"}},
  "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0.1}})";
constexpr int kRecords = 200, kCommon = 150;

class WithMutant {
 public:
  explicit WithMutant(Mutant m) { active_mutant = m; }
  ~WithMutant() { active_mutant = Mutant::none; }
};

// Returns kRecords records, numbered from `first`.
Records side(const std::string& column, int first) {
  Records out{{column}, {}, {{}}, {}};
  for (int i = first; i < first + kRecords; ++i) {
    out.identifiers.push_back("p" + std::to_string(i));
    out.columns[0].push_back(std::sin(i * 1.7) * 3 + i % 7);
  }
  return out;
}

struct RehearsalHarness : StudyHarness {
  explicit RehearsalHarness(int common = kCommon)
      : StudyHarness(kRehearsedSpec, side("x", 0), side("y", kRecords - common), true) {
    rehearsal.fill(true);
  }
};

// Returns the sizes of all messages after the handshake, by step, sender and receiver, in order.
std::map<std::tuple<int, int, int>, std::vector<std::size_t>> messages(StudyHarness& h) {
  std::map<std::tuple<int, int, int>, std::vector<std::size_t>> out;
  for (const RecordedMessage& m : h.network().recording())
    if (m.step > 0) out[{m.step, m.from, m.to}].push_back(m.bytes.size());
  return out;
}

TEST(Rehearsal, TellsTheCountAndNothingElse) {
  RehearsalHarness h;
  h.run();
  for (int party = 0; party < kParties; ++party) {
    SCOPED_TRACE(party);
    EXPECT_EQ(h.results[party].matched, kCommon);
    EXPECT_EQ(h.observers[party].match_count, kCommon);
    EXPECT_TRUE(h.results[party].coefficients.empty());
    EXPECT_TRUE(h.results[party].fits.empty());
    std::vector<std::string> steps;
    for (const StepRow& row : h.observers[party].rows) steps.push_back(row.name);
    EXPECT_EQ(steps, party == kThirdParty ? std::vector<std::string>({"prepare", "match"})
                                          : std::vector<std::string>({"prepare", "agree_key", "push"}));
    EXPECT_EQ(h.observers[party].rows.back().data_status, "none");
    EXPECT_EQ(h.observers[party].rows.back().destroyed,
              (std::vector<std::string>{"hashed identifiers", "keys of the attempt"}));
  }
}

// Up to the announcement each party gets messages of the same sizes as in a study. After it there are none.
TEST(Rehearsal, ItsMessagesAreThoseOfTheStudyUpToTheCount) {
  RehearsalHarness rehearsed;
  StudyHarness studied(kRehearsedSpec, side("x", 0), side("y", kRecords - kCommon), true);
  rehearsed.run();
  studied.run();
  const auto few = messages(rehearsed);
  auto all = messages(studied);
  std::size_t compared = 0;
  for (const auto& [place, sizes] : few) {
    const auto& of_study = all.at(place);
    ASSERT_LE(sizes.size(), of_study.size());
    EXPECT_TRUE(std::equal(sizes.begin(), sizes.end(), of_study.begin()));
    compared += sizes.size();
  }
  // Halves of the joint key and check values (4), counts and hashes to the third party (4), its announcements (2).
  EXPECT_EQ(compared, 4u + 4u + 2u);
  for (const auto& [place, sizes] : few) EXPECT_LE(std::get<0>(place), 4);
}

// The generation of a key pair of 2048 bits draws more than a thousand random bytes.
TEST(Rehearsal, NoKeyPairIsMade) {
  const auto drawn = [] {
    RehearsalHarness h;
    h.run();
    return std::pair(h.random_bytes[0] + h.random_bytes[1], messages(h).at({4, 0, kThirdParty}).size());
  };
  const auto [bytes, sent] = drawn();
  EXPECT_LT(bytes, 600u);
  EXPECT_EQ(sent, 2u);
  const WithMutant mutant(Mutant::rehearsal_makes_keys);
  const auto [more_bytes, more_sent] = drawn();
  EXPECT_GT(more_bytes, 1000u) << "otherwise this test cannot fail";
  EXPECT_EQ(more_sent, 3u) << "otherwise this test cannot fail";
}

// When the last row lists "keys of the attempt", the locked memory of the three parties holds no key.
TEST(Rehearsal, TheLastRowIsWrittenAfterTheKeysAreGone) {
  RehearsalHarness h;
  std::barrier all(kParties);
  std::atomic<int> empty{0}, full{0};
  for (int party = 0; party < kParties; ++party)
    h.observers[party].on_step = [&, party](const StepRow& row) {
      if (row.name != (party == kThirdParty ? "match" : "push")) return;
      all.arrive_and_wait();
      (process_arena().holds_nothing() ? empty : full)++;
      all.arrive_and_wait();
    };
  h.run();
  EXPECT_EQ(empty, 3);
  EXPECT_EQ(full, 0);
}

// A party that rehearses and one that runs the study agree on no keys, and no identifier leaves a node.
TEST(Rehearsal, IsNoPartOfAStudy) {
  for (int odd = 0; odd < kParties; ++odd)
    for (const bool rehearses : {false, true}) {
      SCOPED_TRACE(odd);
      StudyHarness h(kRehearsedSpec, side("x", 0), side("y", 50), true);
      h.rehearsal.fill(!rehearses);
      h.rehearsal[static_cast<std::size_t>(odd)] = rehearses;
      EXPECT_THROW(h.run(), Error);
      bool noticed = false;
      for (const auto& failure : h.failures) {
        ASSERT_NE(failure, nullptr);
        noticed = noticed || failure->code() == ErrorCode::protocol_violation;
      }
      EXPECT_TRUE(noticed);
      EXPECT_TRUE(messages(h).empty());
      for (int party = 0; party < kParties; ++party) EXPECT_EQ(h.observers[party].match_count, -1);
    }
}

TEST(Rehearsal, BelowTheMinimumEverybodyLearnsOnlyTheRefusal) {
  const auto sizes = [](int common) {
    RehearsalHarness h(common);
    EXPECT_THROW(h.run(), Error);
    for (int party = 0; party < kParties; ++party) {
      EXPECT_EQ(h.failures[party]->code(), ErrorCode::refused) << party;
      EXPECT_EQ(h.observers[party].match_count, -1) << "the count appears nowhere";
      for (const StepRow& row : h.observers[party].rows) EXPECT_LT(row.step, 4);
    }
    return messages(h);
  };
  EXPECT_EQ(sizes(0), sizes(99));
}

// Step 1 of a rehearsal finds the same errors in the own data as that of a study.
TEST(Rehearsal, ChecksTheValues) {
  Records a = side("x", 0);
  a.columns[0][3] = HUGE_VAL;
  StudyHarness h(kRehearsedSpec, a, side("y", 50), true);
  h.rehearsal.fill(true);
  EXPECT_THROW(h.run(), Error);
  EXPECT_EQ(h.failures[0]->message(), "column \"x\" holds NaN or infinity");
  for (const RecordedMessage& m : h.network().recording()) EXPECT_NE(m.from, 0);
}

}  // namespace
}  // namespace pgmpc
