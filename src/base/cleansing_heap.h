// What: the second line behind the typed holders of base/secret.h, for a process that exists to hold secrets (the
//       engine): every block of the C++ heap is cleansed when it is freed, whoever held it, and the used part of a
//       thread's stack can be cleansed when a computation with secrets has ended.
// Invariants: until cleanse_freed_memory() is called freeing costs nothing more; it cannot be undone. Only blocks
//             that this module frees are concerned: a server's other extensions keep their own operators.
//             Sanitizers bring operators of their own; there the heap stays theirs.
#pragma once
#include <cstddef>

namespace pgmpc {

void cleanse_freed_memory() noexcept;

// Overwrites the next bytes of this thread's stack below the caller's frame: what finished calls left there. Does
// nothing in a process that has not called cleanse_freed_memory().
void cleanse_stack() noexcept;
inline constexpr std::size_t kCleansedStack = std::size_t{192} << 10;  // GMP takes up to 64 kB for one temporary

}  // namespace pgmpc
