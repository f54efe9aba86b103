// Worker threads for pure computation: no PostgreSQL call, no I/O and no blocking wait happens in them.
//
// Invariants
// Every signal is blocked in the threads; the main thread of the process handles them. The first exception of a task is
// rethrown in the caller after all tasks have stopped. The destructor joins the threads.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>

#include "base/cancel.h"

namespace pgmpc {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // >= 1; the caller's thread works too, so 1 starts no thread
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  int threads() const noexcept;
  // Processor time in seconds that all threads have spent inside bodies so far.
  double cpu_seconds() const noexcept;

  // Calls body(begin, end) for consecutive ranges of at most `grain` indices that cover [0, count). Polls the token
  // between ranges; throws Error(cancelled) or the first exception of a body.
  void for_ranges(std::size_t count, std::size_t grain, const CancelToken& cancel,
                  const std::function<void(std::size_t, std::size_t)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgmpc
