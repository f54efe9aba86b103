#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <cstring>
#include <ctime>
#include <thread>

#include "base/bytes.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/rng.h"
#include "base/secret.h"
#include "base/thread_pool.h"
#include "support/message_of.h"

namespace pgmpc {
namespace {

TEST(Bytes, WriterAndReaderRoundTrip) {
  Bytes out;
  const Bytes raw = {1, 2, 3};
  Writer(out).u8(7).u16(0x1234).u32(0xdeadbeef).u64(0x0123456789abcdefULL).sized(raw).raw(raw);
  EXPECT_EQ(to_hex(out), "071234deadbeef0123456789abcdef00000003010203010203");
  Reader in(out);
  EXPECT_EQ(in.u8(), 7);
  EXPECT_EQ(in.u16(), 0x1234);
  EXPECT_EQ(in.u32(), 0xdeadbeefu);
  EXPECT_EQ(in.u64(), 0x0123456789abcdefULL);
  EXPECT_EQ(to_hex(in.sized(3)), "010203");
  EXPECT_THROW(in.expect_end(), Error);
  EXPECT_EQ(to_hex(in.raw(3)), "010203");
  EXPECT_NO_THROW(in.expect_end());
}

TEST(Bytes, AReaderNeverReadsPastItsEnd) {
  Bytes out;
  Writer(out).u32(5).u8(1);
  EXPECT_THROW(Reader(out).u64(), Error);
  EXPECT_THROW(Reader(out).sized(10), Error) << "length 5, one byte left";
  EXPECT_EQ(test::message_of([&] { Reader(out).sized(4); }), "length field exceeds its limit");
  EXPECT_THROW(Reader(out).raw(6), Error);
  EXPECT_THROW(Reader(ByteView{}).u8(), Error);
}

TEST(Bytes, HexIsStrict) {
  EXPECT_EQ(from_hex("00fFA5"), (Bytes{0, 255, 165}));
  EXPECT_THROW(from_hex("0"), Error);
  EXPECT_THROW(from_hex("0g"), Error);
  EXPECT_TRUE(from_hex("").empty());
}

TEST(Secret, CleanseClearsEveryByte) {
  std::array<std::uint8_t, 64> memory;
  memory.fill(0xa5);
  cleanse(memory.data() + 1, 62);
  EXPECT_EQ(memory[0], 0xa5);
  EXPECT_EQ(memory[63], 0xa5);
  for (int i = 1; i < 63; ++i) EXPECT_EQ(memory[i], 0);
  cleanse(nullptr, 0);
}

TEST(Secret, WipeAndMoveLeaveNothingBehind) {
  SecretBytes a = {1, 2, 3};
  SecretBytes b = std::move(a);
  EXPECT_TRUE(a.empty());
  b.wipe();
  EXPECT_TRUE(b.empty());
  SecretArray<4> x;
  std::memset(x.data(), 9, 4);
  const std::uint8_t* before = x.data();
  SecretArray<4> y = std::move(x);
  EXPECT_EQ(y.data(), before) << "a move makes no second copy";
  EXPECT_EQ(x.data(), nullptr);
  x.wipe();  // of nothing: no harm
  y.wipe();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(y.data()[i], 0);
  static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_constructible_v<SecretArray<4>>);
}

TEST(Secret, ComparisonLooksAtEveryByte) {
  const Bytes a = {1, 2, 3}, b = {1, 2, 4}, c = {1, 2};
  EXPECT_TRUE(equal_constant_time(a, a));
  EXPECT_FALSE(equal_constant_time(a, b));
  EXPECT_FALSE(equal_constant_time(a, c));
}

TEST(Rng, BelowIsUniformAndBounded) {
  std::array<int, 10> cells{};
  for (int i = 0; i < 20000; ++i) ++cells.at(system_rng().below(10));
  double chi = 0;
  for (int count : cells) chi += (count - 2000.0) * (count - 2000.0) / 2000.0;
  EXPECT_LT(chi, 46) << "9 degrees of freedom, alpha 5e-7";
  EXPECT_EQ(system_rng().below(1), 0u);
}

TEST(ThreadPool, CoversEveryIndexOnceOnAnyNumberOfThreads) {
  CancelToken cancel;
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (std::size_t count : {0u, 1u, 7u, 1000u}) {
      std::vector<std::atomic<int>> hits(count);
      pool.for_ranges(count, 3, cancel, [&](std::size_t begin, std::size_t end) {
        EXPECT_LE(end - begin, 3u);
        for (std::size_t i = begin; i < end; ++i) ++hits[i];
      });
      for (auto& hit : hits) EXPECT_EQ(hit, 1);
    }
  }
}

TEST(ThreadPool, TheFirstExceptionReachesTheCallerAndThePoolStaysUsable) {
  ThreadPool pool(3);
  CancelToken cancel;
  EXPECT_THROW(pool.for_ranges(100, 1, cancel,
                               [](std::size_t begin, std::size_t) {
                                 if (begin == 42) throw Error(ErrorCode::internal, "forty-two");
                               }),
               Error);
  std::atomic<int> sum{0};
  pool.for_ranges(10, 1, cancel, [&](std::size_t, std::size_t) { ++sum; });
  EXPECT_EQ(sum, 10);
}

TEST(ThreadPool, ACancelledTokenStopsBetweenRanges) {
  ThreadPool pool(2);
  CancelToken cancel;
  std::atomic<int> ranges{0};
  try {
    pool.for_ranges(100000, 1, cancel, [&](std::size_t, std::size_t) {
      if (++ranges == 10) cancel.cancel();
    });
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::cancelled);
  }
  EXPECT_LT(ranges, 100);
}

TEST(ThreadPool, CountsTheProcessorTimeOfItsBodies) {
  ThreadPool pool(2);
  const CancelToken cancel;
  EXPECT_EQ(pool.cpu_seconds(), 0);
  const auto work = [](std::size_t, std::size_t) {
    const std::clock_t begin = std::clock();
    while (std::clock() - begin < CLOCKS_PER_SEC / 50) {
    }
  };
  const std::clock_t begin = std::clock();
  pool.for_ranges(4, 1, cancel, work);
  const double all = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  EXPECT_GT(pool.cpu_seconds(), 0.02) << "four times 0.02 s of the process, on two threads at once";
  EXPECT_LT(pool.cpu_seconds(), all + 0.01);
}

TEST(ThreadPool, SignalsStayWithTheMainThread) {
  ThreadPool pool(2);
  CancelToken cancel;
  const auto caller = std::this_thread::get_id();
  std::atomic<int> helpers{0};
  std::atomic<bool> seen{false};
  pool.for_ranges(2, 1, cancel, [&](std::size_t, std::size_t) {
    if (std::this_thread::get_id() == caller) {
      while (!seen) std::this_thread::yield();  // the other range must run on the pool's thread
      return;
    }
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    helpers += sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1;
    seen = true;
  });
  EXPECT_GE(helpers, 1);
}

// Text of somebody else: control characters, direction marks, what is no UTF-8, length.
TEST(Printable, OneLineOfBoundedLength) {
  EXPECT_EQ(printable_text("plain text", 300), "plain text");
  EXPECT_EQ(printable_text("  two\n\tlines \x1b[2J", 300), "two lines [2J");
  EXPECT_EQ(printable_text("caf\xc3\xa9 \xe2\x80\xae reversed \xef\xbb\xbf", 300), "caf\xc3\xa9 reversed");
  EXPECT_EQ(printable_text("a\xff\xc3(\xed\xa0\x80\xf0\x9f\x98\x80", 300), "a ( \xf0\x9f\x98\x80");
  EXPECT_EQ(printable_text(std::string(300, 'x'), 300), std::string(300, 'x'));
  EXPECT_EQ(printable_text(std::string(301, 'x'), 300), std::string(297, 'x') + "...");
  EXPECT_EQ(printable_text(std::string("a\0b", 3), 300), "a b");
  EXPECT_EQ(printable_text("\n \x1b", 300), "");
}

}  // namespace
}  // namespace pgmpc
