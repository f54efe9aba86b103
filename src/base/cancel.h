// The cancellation token that every long loop of the core polls.
// A signal handler or another thread sets it. A process with a flag of its own, such as a backend, passes a function
// that reads that flag.
#pragma once
#include <atomic>

#include "base/error.h"

namespace pgmpc {

class CancelToken {
 public:
  // Any thread that polls the token calls this function, so it may only read flags.
  using Poll = bool (*)() noexcept;

  CancelToken() = default;
  explicit CancelToken(Poll poll) : poll_(poll) {}

  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }  // async-signal-safe
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed) || (poll_ && poll_()); }
  void check() const {
    if (cancelled()) throw Error(ErrorCode::cancelled, "the study was cancelled on this node");
  }

 private:
  std::atomic<bool> cancelled_{false};
  Poll poll_ = nullptr;
  static_assert(std::atomic<bool>::is_always_lock_free);
};

}  // namespace pgmpc
