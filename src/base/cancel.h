// What: the cancel token that every long loop of the core polls. Set from a signal handler or another thread.
#pragma once
#include <atomic>

#include "base/error.h"

namespace pgmpc {

class CancelToken {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }  // async-signal-safe
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }
  void check() const {
    if (cancelled()) throw Error(ErrorCode::cancelled, "the study was cancelled on this node");
  }

 private:
  std::atomic<bool> cancelled_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
};

}  // namespace pgmpc
