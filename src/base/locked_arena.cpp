#include "base/locked_arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/secret.h"

namespace pgmpc {

namespace {

std::size_t units_of(std::size_t size) {
  return (std::max<std::size_t>(size, 1) + LockedArena::kUnit - 1) / LockedArena::kUnit;
}

std::size_t whole_pages(std::size_t bytes) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

std::uint8_t* map_pages(std::size_t bytes) noexcept {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::uint8_t*>(memory);
}

}  // namespace

LockedArena::LockedArena(std::size_t bytes) : bytes_(whole_pages(bytes)), used_(bytes_ / kUnit) {
  memory_ = map_pages(bytes_);
  if (memory_ == nullptr) return;
  madvise(memory_, bytes_, MADV_DONTDUMP);
  madvise(memory_, bytes_, MADV_WIPEONFORK);
  lock_pages();
}

LockedArena::~LockedArena() {
  if (memory_ == nullptr) return;
  cleanse(memory_, bytes_);
  munmap(memory_, bytes_);
}

void LockedArena::lock_pages() noexcept {
  owner_ = getpid();
  locked_ = mlock(memory_, bytes_) == 0;
}

// Returns the first unit of a free run, or used_.size(). The search starts where the last one ended.
std::size_t LockedArena::find(std::size_t units) const noexcept {
  const auto search = [&](std::size_t first, std::size_t end) {
    std::size_t run = 0;
    for (std::size_t at = first; at < end; ++at) {
      run = used_[at] ? 0 : run + 1;
      if (run == units) return at + 1 - units;
    }
    return used_.size();
  };
  const std::size_t behind = search(next_, used_.size());
  return behind != used_.size() ? behind : search(0, std::min(used_.size(), next_ + units));
}

void* LockedArena::allocate(std::size_t size) {
  const std::size_t units = units_of(size);
  {
    std::lock_guard guard(mutex_);
    if (memory_ != nullptr && getpid() != owner_) lock_pages();
    const std::size_t first = memory_ == nullptr ? used_.size() : find(units);
    if (first != used_.size()) {
      std::fill_n(used_.begin() + static_cast<std::ptrdiff_t>(first), units, true);
      next_ = first + units == used_.size() ? 0 : first + units;
      return memory_ + first * kUnit;
    }
  }
  void* block = ::operator new (units* kUnit, std::align_val_t{kUnit});
  std::memset(block, 0, units * kUnit);
  return block;
}

void LockedArena::release(void* block, std::size_t size) noexcept {
  if (block == nullptr) return;
  const std::size_t units = units_of(size);
  cleanse(block, units * kUnit);
  if (!contains(block)) return ::operator delete (block, std::align_val_t{kUnit});
  std::lock_guard guard(mutex_);
  const auto first = static_cast<std::size_t>(static_cast<std::uint8_t*>(block) - memory_) / kUnit;
  std::fill_n(used_.begin() + static_cast<std::ptrdiff_t>(first), units, false);
}

bool LockedArena::contains(const void* block) const noexcept {
  const auto* byte = static_cast<const std::uint8_t*>(block);
  return memory_ != nullptr && byte >= memory_ && byte < memory_ + bytes_;
}

std::size_t LockedArena::units_in_use() const noexcept {
  std::lock_guard guard(mutex_);
  return static_cast<std::size_t>(std::count(used_.begin(), used_.end(), true));
}

bool LockedArena::holds_nothing() const noexcept {
  std::lock_guard guard(mutex_);
  return memory_ == nullptr || std::all_of(memory_, memory_ + bytes_, [](std::uint8_t byte) { return byte == 0; });
}

LockedArena& process_arena() {
  static auto* arena = new LockedArena(LockedArena::kProcessBytes);  // outlives every static holder of a key
  return *arena;
}

bool memory_can_be_locked(std::size_t bytes) noexcept {
  const std::size_t size = whole_pages(bytes);
  std::uint8_t* memory = map_pages(size);
  if (memory == nullptr) return false;
  const bool can = mlock(memory, size) == 0;
  munmap(memory, size);
  return can;
}

}  // namespace pgmpc
