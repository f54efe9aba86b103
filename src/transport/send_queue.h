// What: the messages on their way from this engine to one peer.
// Terms: progress = the peer acknowledged a message; probe = the single attempt per back-off period while the peer
//        does not answer; cause = one line that names the peer and says why it did not take a message.
// Invariants: at most kInFlight requests at a time and kWindow unacknowledged numbers; a message that failed is sent
//             again byte for byte from the same buffer until it is acknowledged. Lives on the loop's thread.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "net/http_client.h"

namespace pgmpc {

// The cause of a failed request; empty for a message that was taken.
std::string cause_of(const Peer& peer, const HttpResult& result);

class SendQueue {
 public:
  static constexpr int kInFlight = 4;
  static constexpr std::uint64_t kWindow = 16;
  using Clock = EventLoop::Clock;

  SendQueue(EventLoop& loop, HttpClient& client, Peer peer, std::string path);
  ~SendQueue();
  void push(SharedBytes frame);  // encoded with sequence()
  std::uint64_t sequence() const noexcept { return next_; }
  bool empty() const noexcept { return unacknowledged_.empty(); }
  std::size_t bytes() const noexcept { return bytes_; }
  // Drops what is not acknowledged.
  void clear();
  // The latest acknowledgement, or the push that ended an empty queue.
  Clock::time_point progress() const noexcept { return progress_; }
  // Why the latest request failed; empty after a success.
  const std::string& cause() const noexcept { return cause_; }
  // The peer refused a message for good (not a matter of trying again).
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
  std::chrono::milliseconds delay_{0};  // 0: the peer answers
  EventLoop::TimerId timer_ = 0;
  std::shared_ptr<SendQueue*> self_;  // emptied by the destructor: answers that come later find nobody
};

}  // namespace pgmpc
