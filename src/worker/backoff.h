// Times the pauses between attempts at something that fails for a while: each failure in a row doubles the pause.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "ipc/event_loop.h"

namespace pgmpc {

class Backoff {
 public:
  bool is_pausing() const { return timer_ != 0; }
  // Calls `again` on the loop when the pause is over. No effect during a pause.
  void pause(EventLoop& loop, std::chrono::milliseconds first, std::chrono::milliseconds longest,
             std::function<void()> again) {
    if (is_pausing()) return;
    const auto pause = std::min(longest, first * (1 << std::min(failures_++, kMostDoublings)));
    timer_ = loop.after(pause, [this, again = std::move(again)] {
      timer_ = 0;
      again();
    });
  }
  void succeeded() { failures_ = 0; }
  // Ends the pause: there is a reason to try now.
  void reset(EventLoop& loop) {
    loop.cancel(std::exchange(timer_, 0));
    failures_ = 0;
  }

 private:
  static constexpr int kMostDoublings = 16;
  int failures_ = 0;
  EventLoop::TimerId timer_ = 0;
};

}  // namespace pgmpc
