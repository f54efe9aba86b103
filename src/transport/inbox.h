// What: the messages that one peer has sent to this engine: put in any order, taken exactly once and in order.
// Invariants: a sequence number is accepted once; numbers beyond the window, and bytes beyond the limits, are refused
//             (the sender, whose own window is smaller, tries again), so memory is bounded whatever arrives.
#pragma once
#include <deque>
#include <map>

#include "base/bytes.h"

namespace pgmpc {

class Inbox {
 public:
  static constexpr std::uint64_t kWindow = 64;
  // A sender that keeps to its own window never gets near the second one: its messages wait for acknowledgements.
  static constexpr std::size_t kMaxEarly = 32u << 20, kMaxReady = 128u << 20;
  enum class Verdict { accepted, duplicate, too_early };
  struct Message {
    int step = 0;
    Bytes payload;
  };

  Verdict put(std::uint64_t sequence, Message message) {
    if (sequence < next_ || early_.contains(sequence)) return Verdict::duplicate;
    if (sequence - next_ >= kWindow || ready_bytes_ > kMaxReady) return Verdict::too_early;
    // The one that is missing always fits, so that it can set the early ones free.
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
  // Payload bytes that can be taken now. Back-pressure counts only these: to withhold acknowledgements for the sake of
  // messages that wait for a missing one would keep the missing one from being sent.
  std::size_t ready_bytes() const noexcept { return ready_bytes_; }

 private:
  std::uint64_t next_ = 0;  // the first number that has not arrived
  std::map<std::uint64_t, Message> early_;
  std::size_t early_bytes_ = 0;
  std::deque<Message> ready_;
  std::size_t ready_bytes_ = 0;
};

}  // namespace pgmpc
