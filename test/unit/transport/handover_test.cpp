// The protocol thread comes and goes, as it does when it computes, or when people pace the steps: whether it is inside
// a call or away must make no difference to the messages.
// Terms: lateness = how long a receiver stood waiting for a message that had been sent already.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "base/error.h"
#include "test_node.h"

namespace pgmpc {
namespace {
using std::chrono::microseconds;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLong{2500};  // longer than any lateness that could be taken for a busy machine
constexpr milliseconds kLatest{1500};

// Work outside the channel. Most pauses lie around the moment at which the I/O thread takes over.
void compute(std::minstd_rand& random, bool long_now) {
  unsigned kind = random() % 100;
  microseconds time = long_now    ? kLong
                      : kind < 40 ? microseconds(0)
                                  : microseconds(random() % (kind < 95 ? 14000 : 40000));
  if (kind % 2 == 0 || long_now) {
    std::this_thread::sleep_for(time);  // allowed: the pause is what this test varies
    return;
  }
  for (auto until = Clock::now() + time; Clock::now() < until;) {
  }
}

// With `size` bytes on top: a long message needs several turns of the loop to leave.
Bytes stamped(int round, std::size_t size = 0) {
  Bytes out;
  Writer(out)
      .u32(static_cast<std::uint32_t>(round))
      .u64(static_cast<std::uint64_t>(Clock::now().time_since_epoch().count()));
  out.resize(out.size() + size);
  return out;
}

// Receives the message of that round; how late it was.
Clock::duration receive_late(TransportChannel& channel, int from, int round) {
  auto asked = Clock::now();
  Bytes message = channel.receive(from, 8);
  auto got = Clock::now();
  Reader reader(message);
  EXPECT_EQ(reader.u32(), static_cast<std::uint32_t>(round));
  Clock::time_point sent{Clock::duration(static_cast<Clock::rep>(reader.u64()))};
  return got - std::max(asked, sent);
}

// Every round: a message to both peers, a pause, a message of both peers. In some rounds one party pauses for long
// right after it has sent.
Clock::duration latest_of(TransportChannel& channel, int rounds) {
  std::minstd_rand random(static_cast<unsigned>(channel.self()) + 1);
  Clock::duration latest{};
  int self = channel.self();
  for (int round = 0; round < rounds; ++round) {
    bool long_now = round % 97 == 50 && round / 97 % kParties == self;
    for (int to = 0; to < kParties; ++to)
      if (to != self) channel.send(to, 8, stamped(round, long_now ? 1000000 : 0));
    compute(random, long_now);
    for (int from = 0; from < kParties; ++from)
      if (from != self) latest = std::max(latest, receive_late(channel, from, round));
  }
  channel.flush();
  return latest;
}

TEST(Handover, NoMessageIsLateWhereverTheProtocolThreadsAre) {
  const int rounds = std::getenv("PG_MPC_FULL") != nullptr ? 10000 : 400;
  test::ThreeNodes nodes;
  std::array<CancelToken, kParties> cancel;
  std::array<std::unique_ptr<TransportChannel>, kParties> channels;
  for (int i = 0; i < kParties; ++i) channels[i] = std::make_unique<TransportChannel>(nodes.config(i), cancel[i]);
  std::vector<std::thread> threads;
  for (auto& channel : channels)
    threads.emplace_back([&] {
      try {
        auto latest = std::chrono::duration_cast<milliseconds>(latest_of(*channel, rounds));
        EXPECT_LT(latest.count(), kLatest.count()) << "ms, at party " << channel->self();
      } catch (const Error& error) {
        ADD_FAILURE() << error.message() << ": " << error.detail();
      }
    });
  for (auto& thread : threads) thread.join();
}

// By hand, people pause between the steps: what a party has sent reaches the peer although the party makes no call.
TEST(Handover, TheLastMessageBeforeALongPauseArrives) {
  test::ThreeNodes nodes;
  std::array<CancelToken, kParties> cancel;
  auto sender = std::make_unique<TransportChannel>(nodes.config(0), cancel[0]);
  auto receiver = std::make_unique<TransportChannel>(nodes.config(1), cancel[1]);
  for (int round = 0; round < 300; ++round) {
    // The answer makes the sender's last call a receive, which ends while verdicts are still to be sent.
    std::thread asker([&] {
      receiver->send(0, 8, stamped(round));
      EXPECT_LT(receive_late(*receiver, 0, round), kLatest);
    });
    receive_late(*sender, 1, round);
    sender->send(1, 8, stamped(round));
    asker.join();  // and no call of the sender until it has arrived
  }
}

}  // namespace
}  // namespace pgmpc
