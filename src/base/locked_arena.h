// Memory for keys and seeds that never reaches swap, a core file or a child process.
// It is one mapping, locked (mlock), left out of dumps (MADV_DONTDUMP) and zeroed in a forked child (MADV_WIPEONFORK).
//
// Terms
// unit: 64 bytes, the granularity of allocation.
// locked: the system granted mlock (RLIMIT_MEMLOCK).
//
// Invariants
// A block is zero when it is allocated and cleansed when it is released. The record of used units lies outside the
// mapping, so it survives the wiping in a forked child. A full arena falls back to ordinary memory, which is cleansed
// as well.
//
// Threads
// All functions may be called from any thread.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace pgmpc {

class LockedArena {
 public:
  static constexpr std::size_t kUnit = 64;
  static constexpr std::size_t kProcessBytes = std::size_t{64} << 10;  // size of process_arena(): about a thousand keys

  explicit LockedArena(std::size_t bytes);
  ~LockedArena();
  LockedArena(const LockedArena&) = delete;
  LockedArena& operator=(const LockedArena&) = delete;

  // Returns at least `size` bytes, all zero, aligned to kUnit. Throws std::bad_alloc when the heap has no memory
  // either.
  void* allocate(std::size_t size);
  // `size` is the size given to allocate().
  void release(void* block, std::size_t size) noexcept;

  bool locked() const noexcept { return locked_; }
  bool contains(const void* block) const noexcept;
  std::size_t units_in_use() const noexcept;
  // True when every byte is zero: no block, in use or free, holds a secret. For tests.
  bool holds_nothing() const noexcept;

 private:
  void lock_pages() noexcept;
  std::size_t find(std::size_t units) const noexcept;

  mutable std::mutex mutex_;
  std::uint8_t* memory_ = nullptr;  // null: the system gave no mapping, all blocks come from the heap
  std::size_t bytes_;
  std::vector<bool> used_;
  std::size_t next_ = 0;  // the unit where the next search begins
  bool locked_ = false;
  pid_t owner_ = 0;  // the process that locked the pages: a forked child does not inherit locks
};

// The arena of this process. It is made at the first use and never destroyed.
LockedArena& process_arena();

// Tests whether this process may lock an arena of that size, by locking one.
bool memory_can_be_locked(std::size_t bytes) noexcept;

}  // namespace pgmpc
