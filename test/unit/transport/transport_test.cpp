// Three engines' channels over real loopback TLS, through three listeners.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "base/error.h"
#include "test_node.h"

namespace pgmpc {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

Bytes message(int from, int to, int number, std::size_t size) {
  Bytes out;
  Writer(out)
      .u8(static_cast<std::uint8_t>(from))
      .u8(static_cast<std::uint8_t>(to))
      .u32(static_cast<std::uint32_t>(number));
  out.resize(std::max(size, out.size()), static_cast<std::uint8_t>(number));
  return out;
}
// Mostly small, now and then large enough for several TLS records.
std::size_t size_of(int number) { return number % 97 == 0 ? 150000 : static_cast<std::size_t>(number % 300); }

ErrorCode code_of(const std::function<void()>& function, std::string* text = nullptr) {
  try {
    function();
  } catch (const Error& error) {
    if (text != nullptr) *text = error.message() + ": " + error.detail();
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::internal;
}

class TransportTest : public ::testing::Test {
 protected:
  std::unique_ptr<TransportChannel> open(int self, std::function<void(TransportConfig&)> change = {}) {
    TransportConfig config = nodes_.config(self);
    if (change) change(config);
    return std::make_unique<TransportChannel>(config, cancel_[self]);
  }
  test::ThreeNodes nodes_;
  std::array<CancelToken, kParties> cancel_;
};

// Sends `count` messages to both peers and receives as many from both, interleaved.
void chatter(TransportChannel& channel, int count, std::atomic<int>& rounds) {
  int self = channel.self();
  for (int number = 0; number < count; ++number) {
    for (int to = 0; to < kParties; ++to)
      if (to != self) channel.send(to, 8, message(self, to, number, size_of(number)));
    if (number < 10) continue;  // some messages are always under way
    for (int from = 0; from < kParties; ++from)
      if (from != self) {
        EXPECT_TRUE(channel.receive(from, 8) == message(from, self, number - 10, size_of(number - 10)));
      }
    ++rounds;
  }
  for (int number = count - 10; number < count; ++number)
    for (int from = 0; from < kParties; ++from)
      if (from != self) {
        EXPECT_TRUE(channel.receive(from, 8) == message(from, self, number, size_of(number)));
      }
  channel.flush();
}

TEST_F(TransportTest, ThousandsOfMessagesSurviveListenerRestartsExactlyOnceAndInOrder) {
  constexpr int kCount = 1500;
  std::atomic<int> rounds{0}, finished{0};
  std::array<std::unique_ptr<TransportChannel>, kParties> channels{open(0), open(1), open(2)};
  std::vector<std::thread> threads;
  for (auto& channel : channels)
    threads.emplace_back([&] {
      try {
        chatter(*channel, kCount, rounds);
      } catch (const Error& error) {
        ADD_FAILURE() << error.message() << ": " << error.detail();
      }
      ++finished;
    });
  // Restarts at fixed points of progress, not of time.
  for (int restart = 1; restart <= 6; ++restart) {
    while (rounds < restart * kCount / 3 && finished < kParties) std::this_thread::yield();
    nodes_[restart % kParties].stop_listener();
    nodes_[restart % kParties].start_listener();
  }
  for (auto& thread : threads) thread.join();
  std::uint64_t payload = 0;
  for (int number = 0; number < kCount; ++number) payload += message(0, 1, number, size_of(number)).size();
  EXPECT_EQ(channels[0]->bytes_sent_to(1), payload);
  EXPECT_EQ(channels[0]->bytes_sent(), 2 * payload);
}

TEST_F(TransportTest, EngineThatStartsLateGetsEverything) {
  auto sender = open(0);
  for (int number = 0; number < 30; ++number) sender->send(1, 1, message(0, 1, number, 100));
  auto receiver = open(1);
  for (int number = 0; number < 30; ++number) EXPECT_EQ(receiver->receive(0, 1), message(0, 1, number, 100));
  sender->flush();
}

// Whoever has something comes first; a time ends the wait; a peer that leaves or a cancelled token do, too.
TEST_F(TransportTest, AwaitsWhoeverSpeaksFirstOrATime) {
  using Clock = std::chrono::steady_clock;
  auto first = open(0), second = open(1), receiver = open(2);
  EXPECT_EQ(receiver->await(3, 4, Clock::time_point::min()), -1);
  second->send(2, 4, message(1, 2, 0, 10));
  EXPECT_EQ(receiver->await(3, 4, Clock::time_point::max()), 1);
  EXPECT_EQ(receiver->await(1, 4, Clock::now() + milliseconds(20)), -1) << "the other one has said nothing";
  const auto begin = Clock::now();
  EXPECT_EQ(receiver->await(0, 4, begin + milliseconds(150)), -1);
  EXPECT_GE(Clock::now() - begin, milliseconds(150));
  EXPECT_EQ(receiver->receive(1, 4), message(1, 2, 0, 10));
  first->abort();
  EXPECT_EQ(code_of([&] { receiver->await(0, 4, Clock::now() + seconds(30)); }), ErrorCode::peer_stopped);
}

// The protocol thread of the sender is away (it computes) while its messages still have to be delivered.
TEST_F(TransportTest, InputOutputGoesOnWhileTheProtocolThreadComputes) {
  auto sender = open(0), receiver = open(1);
  constexpr int kCount = 40;
  for (int number = 0; number < kCount; ++number) sender->send(1, 4, message(0, 1, number, 200000));
  for (int number = 0; number < kCount; ++number) ASSERT_EQ(receiver->receive(0, 4), message(0, 1, number, 200000));
  // And the other way round: nobody calls the receiver while the sender flushes.
  for (int number = 0; number < kCount; ++number) sender->send(1, 4, message(0, 1, number, 200000));
  sender->flush();
  for (int number = 0; number < kCount; ++number) ASSERT_EQ(receiver->receive(0, 4), message(0, 1, number, 200000));
}

TEST_F(TransportTest, FullBuffersBlockTheSenderAndDrainWithoutDeadlock) {
  auto small = [](TransportConfig& config) { config.buffer_limit = 100000; };
  auto sender = open(0, small), receiver = open(1, small);
  constexpr int kCount = 60;
  std::atomic<int> sent{0};
  std::thread thread([&] {
    try {
      for (int number = 0; number < kCount; ++number) {
        sender->send(1, 5, message(0, 1, number, 60000));
        ++sent;
      }
      sender->flush();
    } catch (const Error& error) {
      ADD_FAILURE() << error.message() << ": " << error.detail();
    }
  });
  while (sent < 3) std::this_thread::yield();
  Bytes first = receiver->receive(0, 5);
  // Both buffers, what is in flight and one message on top: far from all.
  EXPECT_LT(sent, 10);
  EXPECT_EQ(first, message(0, 1, 0, 60000));
  for (int number = 1; number < kCount; ++number) EXPECT_EQ(receiver->receive(0, 5), message(0, 1, number, 60000));
  thread.join();
}

TEST_F(TransportTest, LastMessageIsAcknowledgedAlthoughItsReceiverLeavesAtOnce) {
  for (int i = 0; i < 20; ++i) {
    auto sender = open(0, [](TransportConfig&config) { config.step_timeout = seconds(5); }), receiver = open(1);
    sender->send(1, 8, {1});
    EXPECT_EQ(receiver->receive(0, 8), Bytes{1});
    receiver.reset();
    sender->flush();
  }
}

TEST_F(TransportTest, AbortEndsTheWaitOfThePeers) {
  auto first = open(0), second = open(1);
  auto waiting = std::async(std::launch::async, [&] {
    std::string text;
    ErrorCode code = code_of([&] { second->receive(0, 2); }, &text);
    EXPECT_EQ(text.rfind("party erasmus_mc stopped the attempt: ", 0), 0u) << text;
    return code;
  });
  auto start = Clock::now();
  first->abort();  // party 2 has no engine: must not hold it up
  EXPECT_LT(Clock::now() - start, seconds(4));
  EXPECT_EQ(waiting.get(), ErrorCode::peer_stopped);
  EXPECT_EQ(code_of([&] { second->send(2, 2, {}); }), ErrorCode::peer_stopped);
}

TEST_F(TransportTest, APartyThatLeavesBecauseAnotherOneDidNamesThatOne) {
  auto first = open(0), second = open(1);
  first->abort();
  EXPECT_EQ(code_of([&] { second->receive(0, 2); }), ErrorCode::peer_stopped);
  auto third = open(2);  // too late for the abort of party 0: hears of it from party 1 only
  second->abort();
  std::string text;
  EXPECT_EQ(code_of([&] { third->receive(1, 2); }, &text), ErrorCode::peer_stopped);
  EXPECT_EQ(text.rfind("party erasmus_mc stopped the attempt: ", 0), 0u) << text;
}

// Parties 0 and 1 do not reach each other. Party 0 notices first; what party 1 then hears from party 2 is only that it
// has been given up.
TEST_F(TransportTest, APartyThatWasGivenUpNamesThePeerThatItDoesNotReach) {
  auto cut_from = [](int peer, milliseconds step_timeout) {
    return [peer, step_timeout](TransportConfig& config) {
      config.peers[peer].url = "https://127.0.0.1:1";
      config.step_timeout = step_timeout;
    };
  };
  auto first = open(0, cut_from(1, milliseconds(2000))), second = open(1, cut_from(0, milliseconds(3000))),
       third = open(2);
  std::string text, text_of_third;
  auto waiting = std::async(std::launch::async, [&] { return code_of([&] { second->receive(0, 3); }, &text); });
  auto leaving = std::async(std::launch::async, [&] {
    ErrorCode code = code_of([&] { third->receive(0, 3); }, &text_of_third);
    third->abort();
    return code;
  });
  first->send(1, 3, {1});
  EXPECT_EQ(code_of([&] { first->flush(); }), ErrorCode::peer_unreachable);
  first->abort();
  EXPECT_EQ(leaving.get(), ErrorCode::peer_stopped);
  EXPECT_EQ(text_of_third.rfind("party zilveren_kruis stopped the attempt: ", 0), 0u) << text_of_third;
  EXPECT_EQ(waiting.get(), ErrorCode::peer_unreachable);
  EXPECT_EQ(text.rfind("peer erasmus_mc could not be reached: ", 0), 0u) << text;
}

TEST_F(TransportTest, CancelAndLifelineEndTheWait) {
  int lifeline[2];
  ASSERT_EQ(pipe(lifeline), 0);
  auto first = open(0);
  auto second = open(1, [&](TransportConfig& config) { config.lifeline_fd = lifeline[0]; });
  auto one = std::async(std::launch::async, [&] { return code_of([&] { first->receive(1, 2); }); });
  auto two = std::async(std::launch::async, [&] { return code_of([&] { second->receive(0, 2); }); });
  cancel_[0].cancel();
  close(lifeline[1]);
  EXPECT_EQ(one.get(), ErrorCode::cancelled);
  EXPECT_EQ(two.get(), ErrorCode::cancelled);
  EXPECT_TRUE(cancel_[1].cancelled());
  second.reset();
  close(lifeline[0]);
}

TEST_F(TransportTest, TimeoutsNameThePeerAndTheCause) {
  auto quick = [](TransportConfig& config) { config.step_timeout = milliseconds(300); };
  auto first = open(0, quick);
  std::string text;
  EXPECT_EQ(code_of([&] { first->receive(1, 3); }, &text), ErrorCode::timeout);
  EXPECT_EQ(text, "no message from peer zilveren_kruis for 300 ms: awaited in step 3");

  first->send(1, 3, {1});
  EXPECT_EQ(code_of([&] { first->flush(); }, &text), ErrorCode::peer_unreachable);
  EXPECT_NE(text.find("peer zilveren_kruis: its engine is not running"), std::string::npos) << text;

  auto third = open(2, quick);
  nodes_[1].stop_listener();
  third->send(1, 3, {1});
  EXPECT_EQ(code_of([&] { third->flush(); }, &text), ErrorCode::peer_unreachable);
  EXPECT_NE(text.find("peer zilveren_kruis: connection refused"), std::string::npos) << text;
}

// The peer computes for several step_timeouts, in silence and with a full inbox: neither side gives it up.
TEST_F(TransportTest, APartyThatComputesForLongIsNotTakenForLost) {
  auto quick = [](TransportConfig& config) {
    config.step_timeout = milliseconds(1500);
    config.buffer_limit = 1000;
  };
  auto first = open(0, quick), busy = open(1, quick), third = open(2, quick);
  std::atomic<bool> computed{false};
  auto receiving = std::async(std::launch::async, [&] { return first->receive(1, 3); });
  auto sending = std::async(std::launch::async, [&] {
    for (int number = 0; number < 10; ++number) third->send(1, 3, message(2, 1, number, 2000));
    third->flush();
    return computed.load();
  });
  EXPECT_EQ(receiving.wait_for(milliseconds(4000)), std::future_status::timeout);
  computed = true;
  busy->send(0, 3, {7});
  EXPECT_EQ(receiving.get(), Bytes{7});
  for (int number = 0; number < 10; ++number) EXPECT_EQ(busy->receive(2, 3), message(2, 1, number, 2000));
  EXPECT_TRUE(sending.get());
}

// Its engine ends without an abort (as in a crash) after it has been heard.
TEST_F(TransportTest, AComputationThatGetsNowhereIsNoticed) {
  std::atomic<std::uint64_t> count{0};
  std::atomic<bool> stalled{false};
  auto first = open(0, [&](TransportConfig& config) {
    config.step_timeout = milliseconds(400);
    config.progress = [&] { return count.load(); };
    config.stall_timeout = milliseconds(600);
    config.on_stall = [&] { stalled = true; };
  });
  auto until = std::chrono::steady_clock::now() + milliseconds(1500);
  while (std::chrono::steady_clock::now() < until) ++count;  // slow, but getting somewhere
  EXPECT_FALSE(stalled);
  until += seconds(20);
  while (!stalled && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_TRUE(stalled);
  // Should it come back after all, it finds the attempt over.
  std::string text;
  EXPECT_EQ(code_of([&] { first->receive(1, 1); }, &text), ErrorCode::timeout);
  EXPECT_NE(text.find("made no progress"), std::string::npos) << text;
}

TEST_F(TransportTest, APartyThatHasGoneIsNoticed) {
  auto quick = [](TransportConfig& config) { config.step_timeout = milliseconds(1000); };
  auto first = open(0, quick), second = open(1, quick);
  second->send(0, 3, {1});
  EXPECT_EQ(first->receive(1, 3), Bytes{1});
  auto receiving = std::async(std::launch::async, [&] {
    auto begun = Clock::now();
    EXPECT_EQ(code_of([&] { first->receive(1, 3); }), ErrorCode::timeout);
    return Clock::now() - begun;
  });
  EXPECT_EQ(receiving.wait_for(milliseconds(1500)), std::future_status::timeout);  // it still lives
  second.reset();
  EXPECT_GE(receiving.get(), milliseconds(1500));
}

// Party 1 hears party 0 but cannot reach it: it must not wait for ever because of that.
TEST_F(TransportTest, APeerThatCanOnlyBeHeardIsUnreachable) {
  auto first = open(0);
  auto second = open(1, [](TransportConfig& config) {
    config.step_timeout = milliseconds(1000);
    config.peers[0].url = "https://127.0.0.1:1";
  });
  auto talking = std::async(std::launch::async, [&] {
    try {
      for (int number = 0;; ++number) first->send(1, 3, message(0, 1, number, 100)), first->flush();
    } catch (const Error&) {
      // until party 1 has left or this party is cancelled
    }
  });
  std::string text;
  EXPECT_EQ(code_of(
                [&] {
                  second->send(0, 3, {1});
                  for (;;) second->receive(0, 3);
                },
                &text),
            ErrorCode::peer_unreachable);
  EXPECT_NE(text.find("connection refused"), std::string::npos) << text;
  cancel_[0].cancel();
}

// Without timeouts (step-by-step mode) the channel still reports for which peer a call waits, and why it is not reached.
TEST_F(TransportTest, LongWaitsNameThePeerAndTheCause) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> waits;
  auto first = open(0, [&](TransportConfig& config) {
    config.step_timeout = milliseconds(0);
    config.on_wait = [&](const std::string& party, const std::string& cause) {
      std::lock_guard lock(mutex);
      waits.push_back(party + "|" + cause);
      changed.notify_all();
    };
  });
  auto told = [&](const std::string& text) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, seconds(20), [&] {
      return std::ranges::any_of(waits, [&](const auto& wait) { return wait.find(text) != std::string::npos; });
    });
  };
  nodes_[1].stop_listener();
  first->send(1, 3, {1});
  auto waiting = std::async(std::launch::async, [&] { return first->receive(1, 3); });
  EXPECT_TRUE(told("zilveren_kruis|peer zilveren_kruis: connection refused"));
  nodes_[1].start_listener();
  EXPECT_TRUE(told("zilveren_kruis|peer zilveren_kruis: its engine is not running"));
  auto second = open(1);
  EXPECT_EQ(second->receive(0, 3), Bytes{1});
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, seconds(20), [&] { return waits.back() == "zilveren_kruis|"; }));
  }
  second->send(0, 3, {2});
  EXPECT_EQ(waiting.get(), Bytes{2});
  EXPECT_EQ(waits.back(), "|");
}

TEST_F(TransportTest, WaitsWithoutEndWhenThereIsNoTimeout) {
  auto patient = [](TransportConfig& config) { config.step_timeout = milliseconds(0); };
  auto first = open(0, patient);
  auto waiting = std::async(std::launch::async, [&] { return first->receive(1, 3); });
  EXPECT_EQ(waiting.wait_for(milliseconds(300)), std::future_status::timeout);
  auto second = open(1, patient);
  second->send(0, 3, {7});
  EXPECT_EQ(waiting.get(), Bytes{7});
}

TEST_F(TransportTest, MessageOfAnotherStepIsAViolation) {
  auto first = open(0), second = open(1);
  first->send(1, 2, {1});
  EXPECT_EQ(code_of([&] { second->receive(0, 3); }), ErrorCode::protocol_violation);
}

// Party 1 posts forged frames that the engine of party 2 must not accept.
TEST_F(TransportTest, ForgedFramesAreRefused) {
  auto third = open(2);
  test::LoopThread thread;
  auto client = thread.call([&] { return std::make_unique<HttpClient>(thread.loop(), nodes_[1].identity(), nullptr); });
  TransportConfig config = nodes_.config(2);
  auto post = [&](Bytes frame, AttemptId attempt) {
    auto status = std::make_shared<std::promise<int>>();
    thread.call([&] {
      client->post(nodes_[2].peer(), "/v1/data/" + to_hex(attempt), std::move(frame), seconds(20),
                   [status](HttpResult result) { status->set_value(result.status); });
    });
    return status->get_future().get();
  };
  DataHeader good{config.digest, config.attempt, 1, 2, 8, FrameKind::data, 0};
  auto with = [&](auto change) {
    DataHeader header = good;
    change(header);
    return encode_data_frame(header, Bytes{1});
  };
  EXPECT_EQ(post(with([](auto& h) { h.sender = 0; }), config.attempt), 409);  // authenticated as party 1
  EXPECT_EQ(post(with([](auto& h) { h.digest[0] ^= 1; }), config.attempt), 409);
  EXPECT_EQ(post(with([](auto& h) { h.attempt[0] ^= 1; }), config.attempt), 409);
  EXPECT_EQ(post(with([](auto& h) { h.receiver = 0; }), config.attempt), 409);
  EXPECT_EQ(post(with([](auto& h) { h.sequence = 1000; }), config.attempt), 503);
  EXPECT_EQ(post(Bytes{1, 2, 3}, config.attempt), 400);
  EXPECT_EQ(post(with([](auto&) {}), AttemptId{}), 503);  // no such engine
  EXPECT_EQ(post(with([](auto&) {}), config.attempt), 200);
  EXPECT_EQ(post(with([](auto&) {}), config.attempt), 200);  // a duplicate is acknowledged and dropped
  auto second = open(1);
  EXPECT_EQ(third->receive(1, 8), Bytes{1});
  thread.call([&] { client.reset(); });
}

// Its port accepts connections, and nothing behind it ever answers.
TEST_F(TransportTest, APeerThatTakesNothingIsNoticed) {
  const int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(silent, 8), 0);
  ASSERT_EQ(getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);
  auto first = open(0, [&](TransportConfig& config) {
    config.step_timeout = milliseconds(300);
    config.peers[1].url = "https://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  });
  first->send(1, 3, {1});
  std::string text;
  EXPECT_EQ(code_of([&] { first->flush(); }, &text), ErrorCode::timeout);
  EXPECT_EQ(text.rfind("peer zilveren_kruis has accepted no message for 300 ms", 0), 0U) << text;
  first.reset();
  close(silent);
}

TEST_F(TransportTest, RefusedMessageEndsTheAttempt) {
  auto first = open(0);
  auto second = open(1, [](TransportConfig& config) { config.digest[0] ^= 1; });
  first->send(1, 1, {1});
  std::string text;
  EXPECT_EQ(code_of([&] { first->flush(); }, &text), ErrorCode::peer_unreachable);
  EXPECT_EQ(text.rfind("peer zilveren_kruis refused a message: ", 0), 0U) << text;
  EXPECT_NE(text.find("status 409"), std::string::npos) << text;
}

TEST(Inbox, BoundsWhatArrivesTooEarlyButNeverTheMissingMessage) {
  Inbox inbox;
  Bytes large(10u << 20);
  int taken = 0;
  for (std::uint64_t sequence = 1; sequence <= 10; ++sequence)
    taken += inbox.put(sequence, {1, large}) == Inbox::Verdict::accepted;
  EXPECT_EQ(taken, 3);
  EXPECT_EQ(inbox.put(Inbox::kWindow, {1, {}}), Inbox::Verdict::too_early);
  EXPECT_EQ(inbox.put(0, {1, large}), Inbox::Verdict::accepted);
  EXPECT_EQ(inbox.put(0, {1, large}), Inbox::Verdict::duplicate);
  EXPECT_EQ(inbox.ready_bytes(), 4 * large.size());
  for (std::uint64_t sequence = 4; sequence < 14; ++sequence) inbox.put(sequence, {1, large});
  EXPECT_EQ(inbox.put(14, {1, large}), Inbox::Verdict::too_early);  // nobody takes what is ready
  for (int i = 0; i < 13; ++i) inbox.take();
  EXPECT_EQ(inbox.put(14, {1, large}), Inbox::Verdict::accepted);
}

class RouterTest : public ::testing::Test {
 protected:
  HttpResult request(bool get, const std::string& path, const std::string& body = {}) {
    auto result = std::make_shared<std::promise<HttpResult>>();
    auto done = [result](HttpResult answer) { result->set_value(std::move(answer)); };
    thread_.call([&] {
      if (!client_) client_ = std::make_unique<HttpClient>(thread_.loop(), nodes_[0].identity(), nullptr);
      if (get)
        client_->get(nodes_[2].peer(), path, seconds(20), done);
      else
        client_->post(nodes_[2].peer(), path, Bytes(body.begin(), body.end()), seconds(20), done);
    });
    return result->get_future().get();
  }
  void TearDown() override {
    thread_.call([&] { client_.reset(); });
  }
  test::ThreeNodes nodes_;
  test::LoopThread thread_;
  std::unique_ptr<HttpClient> client_;
};

nlohmann::json json_of(const HttpResult& result) {
  return nlohmann::json::parse(result.body.begin(), result.body.end());
}

TEST_F(RouterTest, PingAndUnknownPaths) {
  HttpResult ping = request(true, "/v1/ping");
  EXPECT_EQ(ping.status, 200) << ping.error_cause;
  nlohmann::json said = json_of(ping);
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const double now = Milliseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(said.value("time_ms", 0.0), now, 60000);
  said.erase("time_ms");
  EXPECT_EQ(said, (nlohmann::json{{"party", "zorgttp"}, {"version", "1.2.3"}}));
  EXPECT_EQ(request(true, "/v1/control").status, 404);
  EXPECT_EQ(request(false, "/v1/ping").status, 405);
  EXPECT_EQ(request(false, "/v1/data/xyz").status, 404);
  EXPECT_EQ(request(false, "/v1/data/" + std::string(32, 'A')).status, 404);
}

TEST_F(RouterTest, ControlCarriesTheAuthenticatedParty) {
  HttpResult result = request(false, "/v1/control", R"({"type":"hello","party":"zilveren_kruis"})");
  ASSERT_EQ(result.status, 200) << result.error_cause;
  auto seen = json_of(result)["ok"];
  EXPECT_EQ(seen["op"], "control");
  EXPECT_EQ(seen["party"], "erasmus_mc");
  EXPECT_EQ(seen["message"]["type"], "hello");
}

TEST_F(RouterTest, ControlMustBeOneSmallObject) {
  for (const std::string& body :
       {std::string(), std::string("[]"), std::string("{},\"party\":\"x\"}"), std::string("{\"a\":1} {}"),
        std::string("{\"a\":\"\xff\"}"), std::string("{}\0\0", 4),
        "{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}"})
    EXPECT_EQ(request(false, "/v1/control", body).status, 400) << body;
}

TEST_F(RouterTest, CoordinatorRestart) {
  nodes_[2].stop_coordinator();
  HttpResult result = request(false, "/v1/control", "{}");
  EXPECT_EQ(result.status, 503);
  EXPECT_EQ(json_of(result)["error"]["message"], "the coordinator is not running");
  EXPECT_EQ(request(true, "/v1/ping").status, 200);  // the pinned peers stay
  // The new coordinator does not know us any more: the router must have asked it.
  nodes_[2].start_coordinator({nodes_[1].peer()});
  auto deadline = Clock::now() + seconds(20);
  while (request(true, "/v1/ping").status == 200 && Clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(request(true, "/v1/ping").status, 0);
}

}  // namespace
}  // namespace pgmpc
