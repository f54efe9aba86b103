#include "mpc/task_group.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "mpc/comparison.h"
#include "mpc/opening.h"
#include "support/mpc_harness.h"

namespace pgmpc {
namespace {

// Makes `rounds` truncations, one after the other, under labels of their own.
FpVector chain(Session& s, const FpVector& start, int gate, int rounds) {
  FpVector x = start.clone();
  for (int k = 0; k < rounds; ++k) {
    for (Fp& v : x) v = v * Fp::from_int(2);
    x = truncate(s, {1, static_cast<std::uint32_t>(k), static_cast<std::uint16_t>(gate)}, x, 0, 80);
  }
  return x;
}

TEST(TaskGroup, TasksShareTheRoundsOfTheLongest) {
  MpcHarness h(1);
  const auto a = h.deal({3}), b = h.deal({5, 7}), c = h.deal({-1});
  std::array<FpVector, kParties> ra, rb, rc;
  h.run([&](Session& s) {
    const int p = s.self();
    TaskGroup group(s);
    auto second = group.spawn([&, p] { rb[p] = chain(s, b[p], 2, 9); });
    auto third = group.spawn([&, p] { rc[p] = chain(s, c[p], 3, 2); });
    ra[p] = chain(s, a[p], 1, 4);
    EXPECT_TRUE(group.done(third));
    EXPECT_FALSE(group.done(second));
    group.join(second);
    group.join(third);
    return 0;
  });
  EXPECT_TRUE(MpcHarness::reveal(ra)[0] == 3 * 16);
  EXPECT_TRUE(MpcHarness::reveal(rb)[1] == 7 * 512);
  EXPECT_TRUE(MpcHarness::reveal(rc)[0] == -4);
  EXPECT_EQ(h.transcript(0).rounds, 9);
}

// done() lets a task finish whose last round is over, without one more round.
TEST(TaskGroup, WhoAsksLetsATaskFinish) {
  MpcHarness h(7);
  const auto a = h.deal({3}), b = h.deal({5});
  h.run([&](Session& s) {
    const int p = s.self();
    TaskGroup group(s);
    const auto same = group.spawn([&, p] { chain(s, b[p], 2, 4); });
    const auto longer = group.spawn([&, p] { chain(s, b[p], 3, 5); });
    const FpVector x = chain(s, a[p], 1, 4);
    EXPECT_TRUE(group.done(same));
    EXPECT_FALSE(group.done(longer));
    EXPECT_EQ(s.transcript().rounds, 4);
    group.join(longer);
    return 0;
  });
  EXPECT_EQ(h.transcript(0).rounds, 5);
}

TEST(TaskGroup, TasksMaySpawnTasks) {
  MpcHarness h(2);
  const auto a = h.deal({1});
  std::array<FpVector, kParties> result;
  h.run([&](Session& s) {
    const int p = s.self();
    TaskGroup group(s);
    auto outer = group.spawn([&, p] {
      FpVector inner_result;
      auto inner = group.spawn([&] { inner_result = chain(s, a[p], 5, 3); });
      FpVector own = chain(s, a[p], 6, 3);
      group.join(inner);
      own[0] += inner_result[0];
      result[p] = std::move(own);
    });
    group.join(outer);
    return 0;
  });
  EXPECT_TRUE(MpcHarness::reveal(result)[0] == 16);
  EXPECT_EQ(h.transcript(1).rounds, 3);
}

TEST(TaskGroup, ACancelledTaskUnwindsAndTheOthersGoOn) {
  MpcHarness h(3);
  const auto a = h.deal({1});
  std::array<FpVector, kParties> result;
  std::array<bool, kParties> unwound{};
  h.run([&](Session& s) {
    const int p = s.self();
    TaskGroup group(s);
    auto endless = group.spawn([&, p] {
      struct Mark {
        bool& flag;
        ~Mark() { flag = true; }
      } mark{unwound[p]};
      chain(s, a[p], 7, 60);
    });
    FpVector x = chain(s, a[p], 8, 3);
    group.cancel(endless);
    EXPECT_TRUE(unwound[p]);
    result[p] = chain(s, x, 9, 2);
    return 0;
  });
  EXPECT_TRUE(MpcHarness::reveal(result)[0] == 32);
  EXPECT_EQ(h.transcript(2).rounds, 5);
}

TEST(TaskGroup, AFailureOfATaskReachesTheOwner) {
  MpcHarness h(4);
  const auto a = h.deal({1});
  try {
    h.run([&](Session& s) {
      const int p = s.self();
      TaskGroup group(s);
      auto bad = group.spawn([&, p] {
        chain(s, a[p], 1, 2);
        throw Error(ErrorCode::limit_exceeded, "on purpose");
      });
      chain(s, a[p], 2, 50);
      group.join(bad);
      return 0;
    });
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::limit_exceeded);
  }
}

TEST(TaskGroup, AStoppedPeerEndsAllTasks) {
  MpcHarness h(5);
  const auto a = h.deal({1});
  EXPECT_THROW(h.run([&](Session& s) {
    const int p = s.self();
    if (p == 2) throw Error(ErrorCode::cancelled, "party 2 leaves");
    TaskGroup group(s);
    auto other = group.spawn([&, p] { chain(s, a[p], 1, 5); });
    chain(s, a[p], 2, 5);
    group.join(other);
    return 0;
  }),
               Error);
}

}  // namespace
}  // namespace pgmpc
