// Runs a single-threaded event loop: an epoll instance, timers and a queue of posted functions.
//
// Terms
// A step is one round: handlers of ready descriptors, then posted functions, then timers that are due.
// Busy-polling: for a short time, a wait polls for events before it lets the kernel put the thread to sleep.
//
// Invariants
// fd() is itself pollable, so that a loop can be nested in a WaitEventSet: sleep on fd() for at most timeout_ms(),
// then call step(0). Handlers may watch, change and unwatch any descriptor, including their own. An exception of a
// handler leaves step(), and the loop stays usable; functions posted for that round that have not run yet are lost.
//
// Threads
// Everything except wake() and post() belongs to the thread that calls step().
//
// Busy-polling
// A sleeping thread takes 25 us or more to run again where an idle processor halts, as in virtual machines. An answer
// that arrives within a tenth of a millisecond is therefore handled sooner by polling. The caller starts busy-polling
// at an event that announces another one, and limits its time; the loop never extends it. Each poll that finds nothing
// yields the processor. An idle loop uses no CPU.
#pragma once
#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace pgmpc {

// The constructor and the members that wait, watch or change throw Error(internal) when a system call fails.
class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using TimerId = std::uint64_t;  // 0 is never a timer

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  int fd() const noexcept { return epoll_; }

  // Level-triggered: EPOLLIN, EPOLLOUT, EPOLLRDHUP. Unwatch a descriptor before closing it. change() throws
  // Error(internal) when the descriptor is not watched.
  void watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> handler);
  void change(int fd, std::uint32_t events);
  void unwatch(int fd);

  TimerId after(std::chrono::milliseconds delay, std::function<void()> handler);
  void cancel(TimerId id);

  // Milliseconds until step() has something to do without a ready descriptor; -1 means never.
  int timeout_ms() const;
  // Runs one round after waiting at most timeout_ms (-1: no limit). The wait starts with what is left of busy-polling.
  // Returns true when a descriptor was ready.
  bool step(int timeout_ms);
  // Makes waits busy-poll for this long from now.
  void busy_poll_for(std::chrono::microseconds time);
  // Runs rounds while busy-polling lasts and polls find events, for at most this long. For callers that wait on fd()
  // themselves and call step(0).
  void run_busy_polling(std::chrono::microseconds at_most);

  void wake() noexcept;                   // from any thread: ends a waiting step()
  void post(std::function<void()> work);  // from any thread: runs work in the loop's thread

 private:
  struct Watch {
    std::uint32_t generation = 0, events = 0;
    std::function<void(std::uint32_t)> handler;
  };
  using Timers = std::multimap<Clock::time_point, std::pair<TimerId, std::function<void()>>>;

  using Events = std::array<epoll_event, 64>;

  int look(Events& events, int timeout_ms);
  int busy_poll(Events& events, Clock::time_point until);
  void run(const Events& events, int ready);
  void run_posted();
  void run_timers();

  int epoll_ = -1, wake_fd_ = -1;
  Clock::time_point busy_poll_until_{};
  std::uint32_t generation_ = 0;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  Timers timers_;
  std::unordered_map<TimerId, Timers::iterator> timer_index_;
  TimerId last_timer_ = 0;
  mutable std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace pgmpc
