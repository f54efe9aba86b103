// The marks of the constant-time tests (test/ctime), as in secp256k1's checkmem.h.
// Memory that holds a secret is marked as undefined. Memcheck or MemorySanitizer then reports every branch and every
// address that depends on it. declassify() removes the mark from a value that may be branched upon, and so documents
// where that happens.
//
// Invariants
// Outside the builds for these tests (PG_MPC_CTIME) the functions do nothing.
#pragma once
#include <cstddef>

#ifdef PG_MPC_CTIME
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define PG_MPC_CTIME_MSAN 1
#endif
#endif
#ifdef PG_MPC_CTIME_MSAN
#include <sanitizer/msan_interface.h>
#else
#include <valgrind/memcheck.h>
#endif
#endif

namespace pgmpc {

inline void mark_secret([[maybe_unused]] const void* at, [[maybe_unused]] std::size_t size) noexcept {
#ifdef PG_MPC_CTIME_MSAN
  __msan_poison(at, size);
#elif defined(PG_MPC_CTIME)
  VALGRIND_MAKE_MEM_UNDEFINED(at, size);
#endif
}

inline void declassify([[maybe_unused]] const void* at, [[maybe_unused]] std::size_t size) noexcept {
#ifdef PG_MPC_CTIME_MSAN
  __msan_unpoison(at, size);
#elif defined(PG_MPC_CTIME)
  VALGRIND_MAKE_MEM_DEFINED(at, size);
#endif
}

template <typename T>
void declassify(const T& value) noexcept {
  declassify(&value, sizeof value);
}

}  // namespace pgmpc
