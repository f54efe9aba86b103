// What: the cancel token that every long loop of the core polls. Set from a signal handler or another thread, or
//       read through a hook where the process keeps its own flag (a backend's query cancellation).
#pragma once
#include <atomic>

#include "base/error.h"

namespace pgmpc {

class CancelToken {
 public:
  // Called by any thread that polls: it may only read flags.
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
