// Holds the messages that one peer has sent to this engine: put in any order, taken exactly once and in order.
//
// Invariants
// A sequence number is accepted once. Numbers beyond the window, and bytes beyond the limits, are refused, so that
// memory is bounded whatever arrives. The sender, whose own window is smaller, sends a refused message again.
#pragma once
#include <deque>
#include <map>

#include "base/bytes.h"

namespace pgmpc {

class Inbox {
 public:
  static constexpr std::uint64_t kWindow = 64;
  // Payload bytes that wait for a missing message, and that can be taken. A sender that keeps to its own window stays
  // far below the second limit, because its messages wait for acknowledgements.
  static constexpr std::size_t kMaxEarly = 32u << 20, kMaxReady = 128u << 20;
  enum class Verdict { accepted, duplicate, too_early };
  struct Message {
    int step = 0;
    Bytes payload;
  };

  Verdict put(std::uint64_t sequence, Message message) {
    if (sequence < next_ || early_.contains(sequence)) return Verdict::duplicate;
    if (sequence - next_ >= kWindow || ready_bytes_ > kMaxReady) return Verdict::too_early;
    // The missing message always fits, because it releases the early ones.
    if (sequence != next_ && early_bytes_ + message.payload.size() > kMaxEarly) return Verdict::too_early;
    early_bytes_ += message.payload.size();
    early_.emplace(sequence, std::move(message));
    for (auto at = early_.find(next_); at != early_.end(); at = early_.find(next_)) {
      early_bytes_ -= at->second.payload.size();
      ready_bytes_ += at->second.payload.size();
      ready_.push_back(std::move(at->second));
      early_.erase(at);
      ++next_;
    }
    return Verdict::accepted;
  }
  bool ready() const noexcept { return !ready_.empty(); }
  Message take() {
    Message message = std::move(ready_.front());
    ready_.pop_front();
    ready_bytes_ -= message.payload.size();
    return message;
  }
  // Payload bytes that can be taken now. Back-pressure counts only these. A sender that waits for acknowledgements of
  // early messages could not send the missing one.
  std::size_t ready_bytes() const noexcept { return ready_bytes_; }

 private:
  std::uint64_t next_ = 0;  // the lowest number that has not arrived
  std::map<std::uint64_t, Message> early_;
  std::size_t early_bytes_ = 0;
  std::deque<Message> ready_;
  std::size_t ready_bytes_ = 0;
};

}  // namespace pgmpc
