// Implements the event loop: watches with generations, timers, posted functions and busy-polling.
#include "ipc/event_loop.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace pgmpc {

namespace {
// Marks the wake-up descriptor: no watch has generation 0.
constexpr std::uint64_t kWakeTag = 0;

[[noreturn]] void fail(const char* what) { throw Error(ErrorCode::internal, what, std::strerror(errno)); }

std::uint64_t tag_of(int fd, std::uint32_t generation) {
  return (static_cast<std::uint64_t>(generation) << 32) | static_cast<std::uint32_t>(fd);
}

void control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) fail("could not watch a descriptor");
}
}  // namespace

EventLoop::EventLoop() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) fail("could not create an event loop");
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd_ < 0) {
    close(epoll_);
    fail("could not create an event loop");
  }
  control(epoll_, EPOLL_CTL_ADD, wake_fd_, EPOLLIN, kWakeTag);
}

EventLoop::~EventLoop() {
  close(wake_fd_);
  close(epoll_);
}

void EventLoop::watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> handler) {
  auto watch = std::make_shared<Watch>();
  watch->generation = ++generation_ == 0 ? ++generation_ : generation_;
  watch->events = events;
  watch->handler = std::move(handler);
  control(epoll_, EPOLL_CTL_ADD, fd, events, tag_of(fd, watch->generation));
  watches_[fd] = std::move(watch);
}

void EventLoop::change(int fd, std::uint32_t events) {
  auto found = watches_.find(fd);
  if (found == watches_.end()) throw Error(ErrorCode::internal, "descriptor is not watched");
  if (found->second->events == events) return;
  control(epoll_, EPOLL_CTL_MOD, fd, events, tag_of(fd, found->second->generation));
  found->second->events = events;
}

void EventLoop::unwatch(int fd) {
  if (watches_.erase(fd) == 0) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::after(std::chrono::milliseconds delay, std::function<void()> handler) {
  TimerId id = ++last_timer_;
  timer_index_[id] = timers_.emplace(Clock::now() + delay, std::pair(id, std::move(handler)));
  return id;
}

void EventLoop::cancel(TimerId id) {
  auto found = timer_index_.find(id);
  if (found == timer_index_.end()) return;
  timers_.erase(found->second);
  timer_index_.erase(found);
}

int EventLoop::timeout_ms() const {
  {
    std::lock_guard lock(posted_mutex_);
    if (!posted_.empty()) return 0;
  }
  if (timers_.empty()) return -1;
  auto left = timers_.begin()->first - Clock::now();
  if (left <= Clock::duration::zero()) return 0;
  // Rounded up: waking too early would only repeat the wait.
  auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(ms, 1 << 30));
}

bool EventLoop::step(int timeout) {
  int own = timeout_ms();
  if (own >= 0 && (timeout < 0 || own < timeout)) timeout = own;
  Events events;
  int ready = timeout == 0 ? 0 : busy_poll(events, busy_poll_until_);
  if (ready == 0) ready = look(events, timeout);
  run(events, ready);
  return ready > 0;
}

void EventLoop::busy_poll_for(std::chrono::microseconds time) {
  busy_poll_until_ = std::max(busy_poll_until_, Clock::now() + time);
}

void EventLoop::run_busy_polling(std::chrono::microseconds at_most) {
  const auto end = Clock::now() + at_most;
  Events events;
  while (int ready = busy_poll(events, std::min(busy_poll_until_, end))) run(events, ready);
}

int EventLoop::look(Events& events, int timeout) {
  int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
  if (ready < 0 && errno != EINTR) fail("could not wait for events");
  return std::max(ready, 0);
}

int EventLoop::busy_poll(Events& events, Clock::time_point until) {
  while (Clock::now() < until) {
    if (int ready = look(events, 0)) return ready;
    sched_yield();
  }
  return 0;
}

void EventLoop::run(const Events& events, int ready) {
  for (int i = 0; i < ready; ++i) {
    std::uint64_t tag = events[i].data.u64;
    if (tag == kWakeTag) {
      std::uint64_t count;
      [[maybe_unused]] ssize_t got = read(wake_fd_, &count, sizeof count);
      continue;
    }
    auto found = watches_.find(static_cast<int>(tag & 0xffffffffu));
    // An earlier handler of this round may have closed this descriptor, and its number may have been reused.
    if (found == watches_.end() || found->second->generation != tag >> 32) continue;
    std::shared_ptr<Watch> alive = found->second;
    alive->handler(events[i].events);
  }
  run_posted();
  run_timers();
}

void EventLoop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (auto& function : work) function();
}

void EventLoop::run_timers() {
  auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    auto [id, handler] = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    timer_index_.erase(id);
    handler();
  }
}

void EventLoop::wake() noexcept {
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(wake_fd_, &one, sizeof one);
}

void EventLoop::post(std::function<void()> work) {
  {
    std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  wake();
}

}  // namespace pgmpc
