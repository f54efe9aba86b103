// Delivers the data messages of this engine to one peer.
//
// Terms
// Progress is an acknowledgement by the peer. A probe is the single request per back-off period while the peer does not
// answer. A cause is one line that names the peer and says why it did not take a message.
//
// Invariants
// At most kInFlight requests are under way, for at most kWindow unacknowledged numbers. A message that failed is sent
// again byte for byte from the same buffer until it is acknowledged.
//
// Threads
// Only the thread that drives the loop uses it.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "net/http_client.h"

namespace pgmpc {

// Returns the cause of a failed request, empty for status 200.
std::string cause_of(const Peer& peer, const HttpResult& result);

class SendQueue {
 public:
  static constexpr int kInFlight = 4;
  static constexpr std::uint64_t kWindow = 16;
  using Clock = EventLoop::Clock;

  SendQueue(EventLoop& loop, HttpClient& client, Peer peer, std::string path);
  ~SendQueue();
  void push(SharedBytes frame);  // a frame that was encoded with sequence()
  std::uint64_t sequence() const noexcept { return next_; }
  bool empty() const noexcept { return unacknowledged_.empty(); }
  std::size_t bytes() const noexcept { return bytes_; }
  // Drops the messages that are not acknowledged.
  void clear();
  // Time of the latest acknowledgement, or of the push that ended an empty queue.
  Clock::time_point progress() const noexcept { return progress_; }
  // Why the latest request failed; empty after an acknowledgement.
  const std::string& cause() const noexcept { return cause_; }
  // True when the peer has refused a message for good, so that trying again is useless.
  bool refused() const noexcept { return refused_; }
  const Peer& peer() const noexcept { return peer_; }

 private:
  struct Entry {
    SharedBytes frame;
    bool in_flight = false;
  };
  void start_more();
  void start(std::uint64_t sequence, Entry& entry);
  void done(std::uint64_t sequence, HttpResult result);
  void retry_later();

  EventLoop& loop_;
  HttpClient& client_;
  Peer peer_;
  std::string path_;
  std::map<std::uint64_t, Entry> unacknowledged_;
  std::uint64_t next_ = 0;
  int in_flight_ = 0;
  std::size_t bytes_ = 0;
  Clock::time_point progress_{};
  std::string cause_;
  bool refused_ = false;
  std::chrono::milliseconds delay_{0};  // back-off; 0 while the peer answers
  EventLoop::TimerId timer_ = 0;
  std::shared_ptr<SendQueue*> self_;  // set to null by the destructor, so that later answers are ignored
};

}  // namespace pgmpc
