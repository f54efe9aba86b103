// Overwrites freed heap blocks and used stack, for a process that exists to hold secrets (the engine).
// It backs up the typed holders of base/secret.h. Every block of the C++ heap is cleansed when it is freed, whoever
// held it. The used part of a thread's stack can be cleansed when a computation with secrets has ended.
//
// Invariants
// Before cleanse_freed_memory() is called, freeing a block only tests a flag. The call cannot be undone.
// Only blocks that this shared library frees are cleansed; other extensions of the server keep their own operators.
// Sanitizers replace operator new and delete; in their builds this file leaves the heap alone.
#pragma once
#include <cstddef>

namespace pgmpc {

void cleanse_freed_memory() noexcept;

// Overwrites the next kCleansedStack bytes of this thread's stack below the caller's frame, which finished calls have
// used. Does nothing in a process that has not called cleanse_freed_memory().
void cleanse_stack() noexcept;
inline constexpr std::size_t kCleansedStack = std::size_t{192} << 10;  // GMP takes up to 64 kB for one temporary

}  // namespace pgmpc
