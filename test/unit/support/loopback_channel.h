// Three channel endpoints in one process, for unit tests that run all parties at once, one thread each.
//
// Terms
// A network is the three endpoints and their queues. A recording has every message in the order of sending, so that a
// test can examine the view of one party.
//
// Invariants
// Messages arrive in order and exactly once, as base/channel.h demands. A receive ends by a message, the deadline, the
// cancel token or an abort; it never waits for ever.
#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/channel.h"
#include "base/error.h"

namespace pgmpc {

struct RecordedMessage {
  int from = 0, to = 0, step = 0;
  Bytes bytes;
  std::chrono::steady_clock::time_point at{};
};

class LoopbackNetwork {
 public:
  struct Options {
    std::chrono::milliseconds timeout{60000};
    bool record = false;
    const CancelToken* cancel = nullptr;
  };

  LoopbackNetwork() : LoopbackNetwork(Options{}) {}
  explicit LoopbackNetwork(Options options) : options_(options) {
    for (int i = 0; i < kParties; ++i) ends_[i] = std::make_unique<End>(*this, i);
  }

  Channel& party(int index) { return *ends_.at(index); }

  // Returns all messages sent so far. Call it after the parties' threads have ended.
  const std::vector<RecordedMessage>& recording() const { return recording_; }

  // Returns the messages sent to one party.
  std::vector<RecordedMessage> view_of_party(int index) const {
    std::vector<RecordedMessage> view;
    for (const auto& message : recording_)
      if (message.to == index) view.push_back(message);
    return view;
  }

  // Waits until `to` has received at least `count` messages of a step from `from`. Returns false after `patience`.
  bool until_taken(int from, int to, int step, std::size_t count, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    const auto& steps = taken_[from][to];
    return changed_.wait_for(lock, patience, [&] {
      return static_cast<std::size_t>(std::count(steps.begin(), steps.end(), step)) >= count;
    });
  }

  // Sets a function that may change each message when it is sent. It runs under the network's lock.
  void set_tamper(std::function<void(RecordedMessage&)> tamper) {
    std::lock_guard lock(mutex_);
    tamper_ = std::move(tamper);
  }

 private:
  class End final : public Channel {
   public:
    End(LoopbackNetwork& network, int self) : network_(network), self_(self) {}
    int self() const override { return self_; }
    void send(int to, int step, Bytes message) override { network_.put(self_, to, step, std::move(message)); }
    Bytes receive(int from, int step) override { return network_.take(from, self_, step); }
    int await(unsigned peers, int /*step*/, std::chrono::steady_clock::time_point until) override {
      return network_.await(peers, self_, until);
    }
    void flush() override {}  // a message is in its receiver's queue as soon as send returns
    void abort() noexcept override { network_.abort(self_); }
    std::uint64_t bytes_sent() const override {
      std::uint64_t sum = 0;
      for (int to = 0; to < kParties; ++to) sum += bytes_sent_to(to);
      return sum;
    }
    std::uint64_t bytes_sent_to(int to) const override {
      std::lock_guard lock(network_.mutex_);
      return network_.bytes_[self_][to];
    }

   private:
    LoopbackNetwork& network_;
    int self_;
  };

  static void check_pair(int from, int to) {
    if (from < 0 || from >= kParties || to < 0 || to >= kParties || from == to)
      throw Error(ErrorCode::internal, "no channel between these parties");
  }

  void put(int from, int to, int step, Bytes bytes) {
    check_pair(from, to);
    std::lock_guard lock(mutex_);
    if (stopped_except(from)) throw Error(ErrorCode::peer_stopped, "a peer left the attempt");
    if (stopped_[from]) throw Error(ErrorCode::internal, "this party left the attempt");
    RecordedMessage message{from, to, step, std::move(bytes), std::chrono::steady_clock::now()};
    if (tamper_) tamper_(message);
    bytes_[from][to] += message.bytes.size();
    if (options_.record) recording_.push_back(message);
    queues_[from][to].emplace_back(message.step, std::move(message.bytes));
    changed_.notify_all();
  }

  // A message that arrived before its sender left is still delivered.
  Bytes take(int from, int to, int step) {
    check_pair(from, to);
    const auto deadline = std::chrono::steady_clock::now() + options_.timeout;
    std::unique_lock lock(mutex_);
    auto& queue = queues_[from][to];
    while (queue.empty()) {
      if (stopped_[to]) throw Error(ErrorCode::internal, "this party left the attempt");
      if (stopped_except(to)) throw Error(ErrorCode::peer_stopped, "a peer left the attempt");
      if (options_.cancel != nullptr) options_.cancel->check();
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) throw Error(ErrorCode::timeout, "the peer made no progress in time");
      changed_.wait_until(lock, std::min(deadline, now + std::chrono::milliseconds(10)));  // polls the token
    }
    if (queue.front().first != step) throw Error(ErrorCode::protocol_violation, "a message of another step arrived");
    Bytes bytes = std::move(queue.front().second);
    queue.pop_front();
    taken_[from][to].push_back(step);
    changed_.notify_all();
    return bytes;
  }

  int await(unsigned peers, int to, std::chrono::steady_clock::time_point until) {
    const auto deadline = std::chrono::steady_clock::now() + options_.timeout;
    std::unique_lock lock(mutex_);
    for (;;) {
      for (int from = 0; from < kParties; ++from)
        if ((peers >> from & 1) != 0 && !queues_[from][to].empty()) return from;
      if (stopped_[to]) throw Error(ErrorCode::internal, "this party left the attempt");
      if (stopped_except(to)) throw Error(ErrorCode::peer_stopped, "a peer left the attempt");
      if (options_.cancel != nullptr) options_.cancel->check();
      const auto now = std::chrono::steady_clock::now();
      if (now >= until) return -1;
      if (peers != 0 && now >= deadline) throw Error(ErrorCode::timeout, "the peer made no progress in time");
      changed_.wait_until(lock, std::min(until, now + std::chrono::milliseconds(10)));
    }
  }

  void abort(int party) noexcept {
    std::lock_guard lock(mutex_);
    stopped_[party] = true;
    changed_.notify_all();
  }

  bool stopped_except(int party) const {
    for (int i = 0; i < kParties; ++i)
      if (i != party && stopped_[i]) return true;
    return false;
  }

  Options options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::array<std::array<std::deque<std::pair<int, Bytes>>, kParties>, kParties> queues_;
  std::array<std::array<std::uint64_t, kParties>, kParties> bytes_{};
  std::array<std::array<std::vector<int>, kParties>, kParties> taken_;  // steps of the messages
  std::array<bool, kParties> stopped_{};
  std::vector<RecordedMessage> recording_;
  std::function<void(RecordedMessage&)> tamper_;
  std::array<std::unique_ptr<Channel>, kParties> ends_;
};

// Runs one function per party, each on its own thread. A party that throws aborts its channel. Rethrows the first
// failure, preferring one that is not peer_stopped, which only follows from another party's abort.
inline void run_parties(LoopbackNetwork& network, const std::array<std::function<void(Channel&)>, kParties>& parties) {
  std::mutex mutex;
  std::exception_ptr cause, echo;
  std::array<std::thread, kParties> threads;
  for (int i = 0; i < kParties; ++i) {
    threads[i] = std::thread([&, i] {
      try {
        if (parties[i]) parties[i](network.party(i));
      } catch (const Error& error) {
        {
          std::lock_guard lock(mutex);
          auto& slot = error.code() == ErrorCode::peer_stopped ? echo : cause;
          if (!slot) slot = std::current_exception();
        }
        network.party(i).abort();
      } catch (...) {
        {
          std::lock_guard lock(mutex);
          if (!cause) cause = std::current_exception();
        }
        network.party(i).abort();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  if (cause) std::rethrow_exception(cause);
  if (echo) std::rethrow_exception(echo);
}

// Runs the same function for every party. It asks its channel which party it is.
inline void run_parties(LoopbackNetwork& network, const std::function<void(Channel&)>& party) {
  run_parties(network, {party, party, party});
}

}  // namespace pgmpc
