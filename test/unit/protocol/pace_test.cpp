// Tests when a party may send before the match count is announced (study/pace.h; rules B5 and B12). Neither messages
// nor limits nor times depend on the other side's data, except for binary orders of magnitude.
#include "study/pace.h"

#include <gtest/gtest.h>

#include "base/mutants.h"
#include "support/study_harness.h"

namespace pgmpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Records;
using test::StudyHarness;

TEST(Pace, NextPowerOfTwo) {
  EXPECT_EQ(next_power(milliseconds(0), milliseconds(125)), milliseconds(125));
  EXPECT_EQ(next_power(milliseconds(125), milliseconds(125)), milliseconds(125));
  EXPECT_EQ(next_power(milliseconds(126), milliseconds(125)), milliseconds(250));
  EXPECT_EQ(next_power(milliseconds(1001), milliseconds(125)), seconds(2));
  EXPECT_EQ(next_power(seconds(3000), milliseconds(125)), seconds(4096));
}

TEST(Pace, AnAgreedNumberOfRecordsFixesTheTime) {
  const auto delay = [](milliseconds elapsed, std::int64_t records, int bits) {
    return announcement_delay(elapsed, records, bits);
  };
  const auto agreed = delay(milliseconds(1), 5000, 2048);
  EXPECT_EQ(agreed, delay(milliseconds(900), 5000, 2048));
  EXPECT_LT(agreed, delay(milliseconds(1), 5000, 3072));
  EXPECT_LT(agreed, delay(milliseconds(1), 6000, 2048));
  EXPECT_EQ(delay(seconds(100), 5000, 2048), seconds(128)) << "missed";
  EXPECT_EQ(announcement_delay(milliseconds(300), std::nullopt, 3072), milliseconds(500));
}

constexpr const char* kPaceSpec =
    R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": "y"}},
  "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0.1}, "disclosure": {"min_matched": 2}})";

Records records(const std::string& column, int count) {
  Records r{{column}, {}, {{}}, {}};
  for (int i = 0; i < count; ++i) {
    r.identifiers.push_back((i < 60 ? "p" : column) + std::to_string(i));  // 60 of them match
    r.columns[0].push_back(i % 7 + 0.1 * (i % 3));
  }
  return r;
}

// Returns the milliseconds from the first message of step 4 to the announcement at A, or -1.
double announced_after(int b_records) {
  StudyHarness h(kPaceSpec, records("x", 60), records("y", b_records), true);
  h.run();
  std::optional<PaceClock::time_point> first;
  for (const RecordedMessage& m : h.network().recording()) {
    if (m.step == 4 && m.to == kThirdParty && !first) first = m.at;
    if (m.step == 4 && m.from == kThirdParty && m.to == 0)
      return std::chrono::duration<double, std::milli>(m.at - *first).count();
  }
  return -1;
}

// Tells whether a delay is at most 30 % above 125 ms times a power of two. Other work on the machine may delay parties.
bool at_a_power(double delay) {
  for (double power = 125; power < 70000; power *= 2)
    if (delay >= power - 1 && delay < power * 1.3) return true;
  return false;
}

TEST(Pace, TheAnnouncementLeavesAtAPowerOfTwo) {
  EXPECT_TRUE(at_a_power(announced_after(60)));
  EXPECT_TRUE(at_a_power(announced_after(2000)));
}

TEST(Pace, MutantThatAnnouncesAtOnceIsCaught) {
  // The mutant may announce near a power of two by chance, so it has six attempts.
  active_mutant = Mutant::announces_at_once;
  bool caught = false;
  for (int i = 0; i < 6 && !caught; ++i) {
    const double delay = announced_after(60);
    EXPECT_GE(delay, 0);
    caught = !at_a_power(delay);
  }
  active_mutant = Mutant::none;
  EXPECT_TRUE(caught);
}

// Tells whether the third party receives everything that B pushes before A begins to push.
bool takes_b_before_a() {
  constexpr std::size_t kPushed = 2;  // the number of records, a block of hashes
  StudyHarness h(kPaceSpec, records("x", 60), records("y", 60), true);
  bool taken = false;
  h.observers[0].on_step = [&](const StepRow& row) {
    if (row.name != "scramble") return;
    const auto patience = active_mutant == Mutant::none ? seconds(60) : seconds(3);
    taken = h.network().until_taken(1, kThirdParty, 4, kPushed, patience);
  };
  h.run();
  return taken;
}

TEST(Pace, NeitherPushWaitsForTheOther) { EXPECT_TRUE(takes_b_before_a()); }

TEST(Pace, MutantThatReadsOneSideFirstKeepsTheOtherWaiting) {
  active_mutant = Mutant::reads_one_side_first;
  const bool taken = takes_b_before_a();
  active_mutant = Mutant::none;
  EXPECT_FALSE(taken) << "otherwise the attack tests nothing";
}

// The messages that one controller receives up to the announcement, and how its attempt ends.
struct View {
  std::vector<std::tuple<int, int, std::size_t>> messages;
  std::string end;
  bool operator==(const View&) const = default;
};

// The third party's memory limit: each side may push 1000 records.
constexpr std::uint64_t kMemory = 2 * 64 * 1000;

View view_of_a(int a_records, int b_records) {
  StudyHarness h(kPaceSpec, records("x", a_records), records("y", b_records), true);
  h.third_party_memory = kMemory;
  try {
    h.run();
  } catch (const Error&) {
  }
  View view;
  for (const RecordedMessage& m : h.network().view_of_party(0)) {
    view.messages.emplace_back(m.from, m.step, m.bytes.size());
    if (m.from == kThirdParty && m.step == 4) break;
  }
  std::sort(view.messages.begin(), view.messages.end());
  view.end = h.failures[0] ? h.failures[0]->message() : "released";
  return view;
}

// Rule B5: the limit of the third party does not depend on the sum of both sides.
TEST(Pace, TheThirdPartysMemoryIsSharedInFixedHalves) {
  const View base = view_of_a(990, 60);
  EXPECT_EQ(base.end, "released");
  EXPECT_EQ(base, view_of_a(990, 900)) << "990 + 900 records";
  // Only the other side is above its half. This side gets an ordinary refusal.
  const View refused = view_of_a(990, 1200), few = view_of_a(60, 1200);
  EXPECT_EQ(refused.messages, base.messages);
  EXPECT_EQ(refused.end, few.end);
  EXPECT_NE(refused.end.find("disclosure rule"), std::string::npos) << refused.end;
  // This side is above its half. It learns that, whatever the other side has.
  const View own = view_of_a(1200, 60);
  EXPECT_EQ(own.end, "the records of this node do not fit into the memory of party t");
  EXPECT_EQ(own, view_of_a(1200, 900));
  EXPECT_EQ(own, view_of_a(1200, 1200));
}

TEST(Pace, MutantWithAJointLimitTellsTheSum) {
  active_mutant = Mutant::joint_memory_limit;
  const View few = view_of_a(1500, 60), many = view_of_a(1500, 900);
  active_mutant = Mutant::none;
  EXPECT_NE(few.end, many.end) << "otherwise the attack tests nothing";
}

}  // namespace
}  // namespace pgmpc