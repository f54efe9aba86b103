// Lets the erasure test (tools/check erasure) learn the real secrets of a study, to search for them where they must not
// be. The functions are empty except in builds with -DPG_MPC_WITNESS=ON.
//
// Terms
// witness: a file into which the build of the test writes a secret when it is created.
// wire: a file with every message of a peer as the listener receives it, without TLS. Whoever recorded the network and
// has the servers' private keys can read as much.
//
// Invariants
// Writing makes no copy of the secret in this process.
#pragma once
#include "base/bytes.h"

namespace pgmpc {

#ifdef PG_MPC_WITNESS
// Appends the secret to the file of this process in the directory that the environment variable PG_MPC_WITNESS names.
// The file "leak" in that directory may hold this name: then one copy is leaked on purpose, and the test must find it.
// With "HMAC state of " before the name, the copy is the SHA-256 state after the padded key, which HMAC keeps for a
// key. If the file "stop" holds this name, the process stops itself (SIGSTOP) while the secret exists.
void witness(const char* name, ByteView secret) noexcept;
void witness_wire(ByteView message) noexcept;
#else
inline void witness(const char*, ByteView) noexcept {}
inline void witness_wire(ByteView) noexcept {}
#endif

// The first `size` limbs of a vector.
template <typename Limbs>
void witness_limbs(const char* name, const Limbs& limbs, std::size_t size) noexcept {
  if (limbs.size() >= size)
    witness(name, {reinterpret_cast<const std::uint8_t*>(limbs.data()), size * sizeof(typename Limbs::value_type)});
}

// The first `most` elements of a vector, each as a secret of its own.
template <typename Vector>
void witness_values(const char* name, const Vector& values, std::size_t most = 16) noexcept {
#ifdef PG_MPC_WITNESS
  constexpr std::size_t kSize = sizeof(typename Vector::value_type);
  for (std::size_t i = 0; i < values.size() && i < most; ++i)
    witness(name, {reinterpret_cast<const std::uint8_t*>(&values[i]), kSize});
#endif
}

}  // namespace pgmpc
