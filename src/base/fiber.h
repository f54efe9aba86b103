// A computation on a stack of its own, which the thread that made it enters and leaves.
// Several parts of blocking code take turns in this way without waking a thread, which costs 5 to 50 us on a virtual
// machine.
//
// Terms
// enter: leave the running fiber and continue in another one.
// home: the thread's own stack; it is a fiber, too.
//
// Invariants
// Fibers belong to one thread and never move to another one.
// An exception never leaves a body. Each fiber has its own record of exceptions in flight, so one fiber may be entered
// while another one unwinds.
// A stack has kFiberStack bytes above a page that faults. It is returned to the kernel when the fiber is destroyed. The
// body cleanses the secrets on its stack as its last action (cleanse_stack).
#pragma once
#include <ucontext.h>

#include <array>
#include <cstddef>
#include <functional>

namespace pgmpc {

inline constexpr std::size_t kFiberStack = std::size_t{1} << 20;  // only touched pages use memory

class Fiber {
 public:
  Fiber();  // the home of the calling thread
  // `body` returns the fiber in which the thread continues. Throws Error(out_of_memory).
  explicit Fiber(std::function<Fiber*()> body);
  // Only for a fiber that has finished or was never entered.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Leaves `running`, the fiber that the thread is in. Returns when another fiber enters `running` again.
  void enter(Fiber& running);

 private:
  static void start(unsigned high, unsigned low);
  void arrive();

  std::function<Fiber*()> body_;
  ucontext_t context_{};
  void* memory_ = nullptr;
  std::array<void*, 2> in_flight_{};  // the C++ ABI's __cxa_eh_globals while this fiber does not run
  bool finished_ = false;
  void *fake_stack_ = nullptr, *sanitizer_ = nullptr;
};

}  // namespace pgmpc
