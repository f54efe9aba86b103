// What: makes the calling process one that exists to hold secrets (the engine): it makes no core files, and what it
// frees
//       is cleansed, whichever library held it: the C++ heap, GMP's temporaries (mpz_invert, mpz_powm, large
//       products), OpenSSL's private keys (its secure heap, locked), and large blocks of the C library.
// Invariants: for the engine only, once, before the first secret. GMP's allocators belong to the whole process, and in
//             a backend another extension may have chosen its own.
#pragma once
#include <cstddef>

namespace pgmpc {

// OpenSSL's locked heap: the X25519 keys of the attempt and its connections, and the TLS key (an RSA key takes 3 kB).
// OpenSSL fails when it is full, so there is plenty.
inline constexpr std::size_t kOpenSslSecureBytes = std::size_t{128} << 10;

void become_secret_process() noexcept;

}  // namespace pgmpc
