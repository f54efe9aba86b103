// Turns the calling process into one that exists to hold secrets (the engine).
// It makes no core files, and what it frees is cleansed, whichever library held it. That covers the C++ heap, GMP's
// temporaries (mpz_invert, mpz_powm, large products), OpenSSL's private keys (its secure heap, locked) and the larger
// blocks of the C library.
//
// Invariants
// For the engine only, once, before the first secret exists. GMP's allocators belong to the whole process, and in a
// backend another extension may have set its own.
#pragma once
#include <cstddef>

namespace pgmpc {

// The size of OpenSSL's locked heap: the X25519 keys of the attempt and its connections, and the TLS key (an RSA key
// takes 3 kB). The size is generous, because OpenSSL fails when this heap is full.
inline constexpr std::size_t kOpenSslSecureBytes = std::size_t{128} << 10;

void become_secret_process() noexcept;

}  // namespace pgmpc
