// What: memory for keys and seeds that never reaches swap, a core file or a child process: one mapping, locked
//       (mlock), left out of dumps (MADV_DONTDUMP) and empty in a forked child (MADV_WIPEONFORK).
// Terms: unit = 64 bytes, the grain of allocation; locked = the system granted mlock (RLIMIT_MEMLOCK).
// Invariants: a block is zero when it is handed out and cleansed when it is given back; the book-keeping lies outside
// the
//             mapping, so that it survives the wiping of a fork; a full arena falls back to ordinary memory, also
//             cleansed. Thread-safe.
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
  static constexpr std::size_t kProcessBytes = std::size_t{64} << 10;  // of process_arena(): about a thousand keys

  explicit LockedArena(std::size_t bytes);
  ~LockedArena();
  LockedArena(const LockedArena&) = delete;
  LockedArena& operator=(const LockedArena&) = delete;

  // At least `size` bytes, all zero, aligned to kUnit. std::bad_alloc when there is no memory at all.
  void* allocate(std::size_t size);
  // `size` as it was asked for.
  void release(void* block, std::size_t size) noexcept;

  bool locked() const noexcept { return locked_; }
  bool contains(const void* block) const noexcept;
  std::size_t units_in_use() const noexcept;
  // Every byte is zero: no block holds a secret, in use or not. For tests.
  bool holds_nothing() const noexcept;

 private:
  void lock_pages() noexcept;
  std::size_t find(std::size_t units) const noexcept;

  mutable std::mutex mutex_;
  std::uint8_t* memory_ = nullptr;  // null: the system gave no mapping, everything comes from the heap
  std::size_t bytes_;
  std::vector<bool> used_;
  std::size_t next_ = 0;  // where the search begins
  bool locked_ = false;
  pid_t owner_ = 0;  // locks are not inherited by fork
};

// The arena of this process; made at the first use and never destroyed.
LockedArena& process_arena();

// Whether this process may lock an arena of that size: tries it.
bool memory_can_be_locked(std::size_t bytes) noexcept;

}  // namespace pgmpc
