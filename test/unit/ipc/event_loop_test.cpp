#include "ipc/event_loop.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <thread>

namespace pgmpc {
namespace {
using std::chrono::milliseconds;

struct Pipe {
  Pipe() { EXPECT_EQ(pipe(fds), 0); }
  ~Pipe() {
    close(fds[0]);
    close(fds[1]);
  }
  void put() { EXPECT_EQ(write(fds[1], "x", 1), 1); }
  int fds[2];
};

bool readable(int fd) {
  pollfd set{fd, POLLIN, 0};
  return poll(&set, 1, 0) == 1;
}

TEST(EventLoop, RunsTimersInOrderAndNotCancelledOnes) {
  EventLoop loop;
  std::string order;
  loop.after(milliseconds(20), [&] { order += 'b'; });
  loop.after(milliseconds(5), [&] { order += 'a'; });
  auto id = loop.after(milliseconds(1), [&] { order += 'x'; });
  loop.cancel(id);
  loop.cancel(id);
  EXPECT_GE(loop.timeout_ms(), 0);
  while (order.size() < 2) loop.step(-1);
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(loop.timeout_ms(), -1);
}

TEST(EventLoop, BusyPollsForTheGivenTimeOnly) {
  EventLoop loop;
  const auto time_of = [](const auto& body) {
    const auto start = EventLoop::Clock::now();
    body();
    return EventLoop::Clock::now() - start;
  };
  loop.busy_poll_for(milliseconds(20));
  EXPECT_GE(time_of([&] { EXPECT_FALSE(loop.step(20)); }), milliseconds(40));  // busy-polls, then sleeps
  EXPECT_LT(time_of([&] { loop.run_busy_polling(std::chrono::seconds(10)); }),
            milliseconds(10));  // is not renewed
  loop.busy_poll_for(std::chrono::seconds(10));
  EXPECT_LT(time_of([&] { loop.run_busy_polling(milliseconds(5)); }), std::chrono::seconds(5));
  loop.wake();
  EXPECT_LT(time_of([&] { EXPECT_TRUE(loop.step(-1)); }), std::chrono::seconds(5));  // an event ends it
  EXPECT_LT(time_of([&] { EXPECT_FALSE(loop.step(0)); }), std::chrono::seconds(5));  // 0 never waits
}

TEST(EventLoop, RunBusyPollingEndsWithTheBusyPolling) {
  EventLoop loop;
  Pipe pipe;
  int seen = 0;
  loop.watch(pipe.fds[0], EPOLLIN, [&](std::uint32_t) {
    if (++seen == 3) loop.unwatch(pipe.fds[0]);
  });
  pipe.put();
  loop.run_busy_polling(std::chrono::seconds(10));  // does not busy-poll: nothing
  EXPECT_EQ(seen, 0);
  loop.busy_poll_for(milliseconds(50));
  loop.run_busy_polling(std::chrono::seconds(10));
  EXPECT_EQ(seen, 3);
}

TEST(EventLoop, IsItselfPollable) {
  EventLoop loop;
  Pipe pipe;
  int seen = 0;
  loop.watch(pipe.fds[0], EPOLLIN, [&](std::uint32_t) { ++seen; });
  EXPECT_FALSE(readable(loop.fd()));
  pipe.put();
  EXPECT_TRUE(readable(loop.fd()));
  loop.step(0);
  EXPECT_EQ(seen, 1);
}

TEST(EventLoop, PostFromAnotherThreadWakesAndCounts) {
  EventLoop loop;
  int sum = 0;
  std::thread other([&] {
    for (int i = 1; i <= 100; ++i) loop.post([&sum, i] { sum += i; });
  });
  while (sum < 5050) loop.step(-1);
  other.join();
  EXPECT_EQ(sum, 5050);
}

TEST(EventLoop, PendingWorkMakesTheTimeoutZero) {
  EventLoop loop;
  EXPECT_EQ(loop.timeout_ms(), -1);
  loop.post([] {});
  EXPECT_EQ(loop.timeout_ms(), 0);
  EXPECT_TRUE(readable(loop.fd()));
  loop.step(0);
  EXPECT_EQ(loop.timeout_ms(), -1);
  EXPECT_FALSE(readable(loop.fd()));
}

// An event that epoll reported for a descriptor closed in the same round must not reach the descriptor's successor.
TEST(EventLoop, HandlerMayReplaceAnotherWatchOfTheSameRound) {
  EventLoop loop;
  Pipe first, second;
  int stale = 0, handled = 0;
  auto replace = [&](int other) {
    ++handled;
    loop.unwatch(other);
    loop.watch(other, EPOLLIN, [&](std::uint32_t) { ++stale; });
  };
  loop.watch(first.fds[0], EPOLLIN, [&](std::uint32_t) { replace(second.fds[0]); });
  loop.watch(second.fds[0], EPOLLIN, [&](std::uint32_t) { replace(first.fds[0]); });
  first.put();
  second.put();
  loop.step(0);
  EXPECT_EQ(handled, 1);
  EXPECT_EQ(stale, 0);
}

TEST(EventLoop, StaysUsableAfterAHandlerThrew) {
  EventLoop loop;
  bool ran = false;
  loop.post([] { throw 1; });
  EXPECT_THROW(loop.step(0), int);
  loop.post([&] { ran = true; });
  loop.step(0);
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace pgmpc
