// An EventLoop on a thread of its own, for objects that live in a loop (servers, clients, routers).
#pragma once
#include <atomic>
#include <future>
#include <thread>

#include "ipc/event_loop.h"

namespace pgmpc::test {

class LoopThread {
 public:
  LoopThread() : thread_([this] { run(); }) {}
  ~LoopThread() {
    stop_ = true;
    loop_.wake();
    thread_.join();
  }
  EventLoop& loop() { return loop_; }

  // Runs the function on the loop's thread. Returns its result or throws its exception.
  template <typename Function>
  auto call(Function function) -> decltype(function()) {
    std::packaged_task<decltype(function())()> task(std::move(function));
    auto result = task.get_future();
    loop_.post([&task] { task(); });
    return result.get();
  }

 private:
  void run() {
    while (!stop_) loop_.step(-1);
  }
  EventLoop loop_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace pgmpc::test
