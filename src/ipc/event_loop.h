// What: the single-threaded event loop of net/: an epoll instance, timers and a queue of posted functions.
// Terms: step = one round: ready file descriptors, then posted functions, then timers that are due; awake = for a
//        moment longer a wait looks for events again and again before it lets the kernel put the thread to sleep.
// Invariants: fd() is itself pollable, so a loop can be nested in a WaitEventSet: sleep on fd() for at most
//             timeout_ms(), then call step(0). Everything except wake() and post() belongs to the thread that steps.
//             Handlers may watch, change and unwatch any descriptor, their own included. An exception that a
//             handler throws leaves step(); the loop stays usable.
//             Why awake: an answer that comes within a tenth of a millisecond is there sooner than a sleeping thread
//             runs again (25 us and more where an idle processor halts, as in virtual machines). It is bounded by what
//             its user says at an event that announces another one, never renewed by itself, and every look in vain
//             gives the processor to whoever is ready to run: nothing happening costs nothing.
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

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using TimerId = std::uint64_t;  // 0 is never a timer

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  int fd() const noexcept { return epoll_; }

  // Level-triggered: EPOLLIN, EPOLLOUT, EPOLLRDHUP. The descriptor must outlive its watch.
  void watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> handler);
  void change(int fd, std::uint32_t events);
  void unwatch(int fd);

  TimerId after(std::chrono::milliseconds delay, std::function<void()> handler);
  void cancel(TimerId id);

  // Milliseconds until step() has something to do without any descriptor becoming ready; -1: never.
  int timeout_ms() const;
  // Waits at most timeout_ms (-1: until something happens), after what is left of being awake, and runs one round.
  // True: a descriptor was ready.
  bool step(int timeout_ms);
  // From now on for this long, waiting is done awake.
  void stay_awake(std::chrono::microseconds time);
  // Where step(0) is all that a wait outside leaves to do: rounds, as long as it is awake and at most this long.
  void run_awake(std::chrono::microseconds at_most);

  void wake() noexcept;                   // any thread: ends a waiting step()
  void post(std::function<void()> work);  // any thread: runs work in the loop's thread

 private:
  struct Watch {
    std::uint32_t generation = 0, events = 0;
    std::function<void(std::uint32_t)> handler;
  };
  using Timers = std::multimap<Clock::time_point, std::pair<TimerId, std::function<void()>>>;

  using Events = std::array<epoll_event, 64>;

  int look(Events& events, int timeout_ms);
  int look_awake(Events& events, Clock::time_point until);
  void run(const Events& events, int ready);
  void run_posted();
  void run_timers();

  int epoll_ = -1, wake_fd_ = -1;
  Clock::time_point awake_until_{};
  std::uint32_t generation_ = 0;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  Timers timers_;
  std::unordered_map<TimerId, Timers::iterator> timer_index_;
  TimerId last_timer_ = 0;
  mutable std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace pgmpc
