#include "base/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "base/error.h"

#if defined(__SANITIZE_ADDRESS__)
#define PG_MPC_FIBER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define PG_MPC_FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PG_MPC_FIBER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define PG_MPC_FIBER_TSAN 1
#endif
#endif
#if defined(PG_MPC_FIBER_ASAN)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(PG_MPC_FIBER_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace pgmpc {

namespace {
std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

// The sanitizers track stacks, so each switch is reported to them.
#if defined(PG_MPC_FIBER_ASAN)
void leave_for(void** fake_stack, const ucontext_t& to, void*) {
  __sanitizer_start_switch_fiber(fake_stack, to.uc_stack.ss_sp, to.uc_stack.ss_size);
}
void arrived(void* fake_stack) { __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr); }
#elif defined(PG_MPC_FIBER_TSAN)
void leave_for(void**, const ucontext_t&, void* to) { __tsan_switch_to_fiber(to, 0); }
void arrived(void*) {}
#else
void leave_for(void**, const ucontext_t&, void*) {}
void arrived(void*) {}
#endif
}  // namespace

Fiber::Fiber() {
#if defined(PG_MPC_FIBER_ASAN)
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    pthread_attr_getstack(&attributes, &context_.uc_stack.ss_sp, &context_.uc_stack.ss_size);
    pthread_attr_destroy(&attributes);
  }
#elif defined(PG_MPC_FIBER_TSAN)
  sanitizer_ = __tsan_get_current_fiber();
#endif
}

Fiber::Fiber(std::function<Fiber*()> body) : body_(std::move(body)) {
  memory_ = mmap(nullptr, page() + kFiberStack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory_ == MAP_FAILED) throw Error(ErrorCode::out_of_memory, "out of memory");
  auto* stack = static_cast<std::uint8_t*>(memory_) + page();
  if (mprotect(stack, kFiberStack, PROT_READ | PROT_WRITE) != 0 || getcontext(&context_) != 0) {
    munmap(memory_, page() + kFiberStack);
    throw Error(ErrorCode::out_of_memory, "out of memory");
  }
  context_.uc_stack.ss_sp = stack;
  context_.uc_stack.ss_size = kFiberStack;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&context_, reinterpret_cast<void (*)()>(&start), 2, static_cast<unsigned>(self >> 32),
              static_cast<unsigned>(self));
#if defined(PG_MPC_FIBER_TSAN)
  sanitizer_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  if (memory_ == nullptr) return;
#if defined(PG_MPC_FIBER_TSAN)
  __tsan_destroy_fiber(sanitizer_);
#endif
  munmap(memory_, page() + kFiberStack);
}

void Fiber::start(unsigned high, unsigned low) {
  auto& self = *reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>(high) << 32 | low);
  self.arrive();
  Fiber* next = self.body_();
  self.finished_ = true;
  next->enter(self);  // does not return: the fiber has finished
}

void Fiber::arrive() {
  arrived(fake_stack_);
  std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), in_flight_.data(), sizeof in_flight_);
}

void Fiber::enter(Fiber& running) {
  std::memcpy(running.in_flight_.data(), static_cast<void*>(abi::__cxa_get_globals()), sizeof in_flight_);
  leave_for(running.finished_ ? nullptr : &running.fake_stack_, context_, sanitizer_);
  swapcontext(&running.context_, &context_);
  running.arrive();
}

}  // namespace pgmpc
