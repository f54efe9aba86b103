#include "base/cleansing_heap.h"

#include <malloc.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "base/secret.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PG_MPC_OWN_HEAP 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define PG_MPC_OWN_HEAP 0
#endif
#endif
#ifndef PG_MPC_OWN_HEAP
#define PG_MPC_OWN_HEAP 1
#endif

namespace pgmpc {

namespace {
std::atomic<bool> cleansing{false};
}

void cleanse_freed_memory() noexcept { cleansing.store(true, std::memory_order_relaxed); }

namespace {
[[gnu::noinline]] void overwrite_stack() noexcept {
  std::array<std::uint8_t, kCleansedStack> unused;
  cleanse(unused.data(), unused.size());
}
}  // namespace

void cleanse_stack() noexcept {
  if (cleansing.load(std::memory_order_relaxed)) overwrite_stack();
}

#if PG_MPC_OWN_HEAP
namespace {

void* take(std::size_t size) {
  for (;;) {
    if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void* take_or_null(std::size_t size) noexcept {
  try {
    return take(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* take_aligned(std::size_t size, std::size_t alignment) {
  const std::size_t whole = (size + alignment - 1) / alignment * alignment;  // a multiple, for aligned_alloc
  for (;;) {
    if (void* block = std::aligned_alloc(alignment, whole == 0 ? alignment : whole)) return block;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void give_back(void* block) noexcept {
  if (block != nullptr && cleansing.load(std::memory_order_relaxed)) cleanse(block, malloc_usable_size(block));
  std::free(block);
}

}  // namespace
#endif

}  // namespace pgmpc

#if PG_MPC_OWN_HEAP
// The replaceable operators. The nothrow forms (std::stable_sort allocates its buffer with one) are replaced as well:
// those of the standard library would return blocks that the operators here free.
void* operator new(std::size_t size) { return pgmpc::take(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return pgmpc::take_aligned(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size) { return pgmpc::take(size); }
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return pgmpc::take_aligned(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return pgmpc::take_or_null(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return pgmpc::take_or_null(size); }
void operator delete(void* block, const std::nothrow_t&) noexcept { pgmpc::give_back(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { pgmpc::give_back(block); }
void operator delete(void* block) noexcept { pgmpc::give_back(block); }
void operator delete(void* block, std::align_val_t) noexcept { pgmpc::give_back(block); }
void operator delete(void* block, std::size_t) noexcept { pgmpc::give_back(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { pgmpc::give_back(block); }
void operator delete[](void* block) noexcept { pgmpc::give_back(block); }
void operator delete[](void* block, std::align_val_t) noexcept { pgmpc::give_back(block); }
void operator delete[](void* block, std::size_t) noexcept { pgmpc::give_back(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { pgmpc::give_back(block); }
#endif
