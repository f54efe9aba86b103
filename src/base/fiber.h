// What: a computation on a stack of its own, entered and left by the thread that made it: several parts of blocking
//       code take turns without the wake-up of a thread, which costs 5 to 50 us on a virtual machine.
// Terms: enter = leave the running fiber and go on in another one; home = the thread's own stack, a fiber, too.
// Invariants: fibers of one thread only, never moved to another one. An exception never leaves a body; each fiber
//             has its own record of exceptions in flight, so one may be entered while another one unwinds. A stack has
//             kFiberStack bytes above a page that faults; it is given back to the kernel with the fiber. What secrets
//             it held the body cleanses last (cleanse_stack).
#pragma once
#include <ucontext.h>

#include <array>
#include <cstddef>
#include <functional>

namespace pgmpc {

inline constexpr std::size_t kFiberStack = std::size_t{1} << 20;  // touched pages only cost memory

class Fiber {
 public:
  Fiber();  // home of the calling thread
  // body returns the fiber in which the thread goes on. Error(out_of_memory).
  explicit Fiber(std::function<Fiber*()> body);
  // Of a fiber that has finished or was never entered.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Leaves `running`, which the thread is in; returns when somebody enters that one again.
  void enter(Fiber& running);

 private:
  static void start(unsigned high, unsigned low);
  void arrive();

  std::function<Fiber*()> body_;
  ucontext_t context_{};
  void* memory_ = nullptr;
  std::array<void*, 2> in_flight_{};  // the C++ ABI's __cxa_eh_globals while this one is not running
  bool finished_ = false;
  void *fake_stack_ = nullptr, *sanitizer_ = nullptr;
};

}  // namespace pgmpc
