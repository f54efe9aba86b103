// What: the seam through which the erasure test (tools/check erasure) learns the real secrets of a study, in order to
//       look for them where they must not be. Built only with -DPG_MPC_WITNESS=ON; in every other build it is empty.
// Terms: witness = a file that the test's build writes a secret into, at the moment it is born;
//        wire = the file with every message of a peer as the listener has it, that is without TLS: what whoever
//        recorded the network can read once he has the servers' private keys.
// Invariant: writing makes no copy of the secret in this process.
#pragma once
#include "base/bytes.h"

namespace pgmpc {

#ifdef PG_MPC_WITNESS
// Appends the secret to the file of this process in the directory that the environment variable PG_MPC_WITNESS names.
// When that directory has a file "leak" with this name in it, one copy is leaked on purpose: the test must find it.
// With "HMAC state of " before the name the copy is of the SHA-256 state after the padded key, which HMAC keeps for a
// key. With this name in a file "stop" the process stops itself (SIGSTOP) while the secret lives.
void witness(const char* name, ByteView secret) noexcept;
void witness_wire(ByteView message) noexcept;
#else
inline void witness(const char*, ByteView) noexcept {}
inline void witness_wire(ByteView) noexcept {}
#endif

// The first number of a vector of limbs.
template <typename Limbs>
void witness_limbs(const char* name, const Limbs& limbs, std::size_t size) noexcept {
  if (limbs.size() >= size)
    witness(name, {reinterpret_cast<const std::uint8_t*>(limbs.data()), size * sizeof(typename Limbs::value_type)});
}

// The first elements of a vector of numbers.
template <typename Vector>
void witness_values(const char* name, const Vector& values, std::size_t most = 16) noexcept {
#ifdef PG_MPC_WITNESS
  constexpr std::size_t kSize = sizeof(typename Vector::value_type);
  for (std::size_t i = 0; i < values.size() && i < most; ++i)
    witness(name, {reinterpret_cast<const std::uint8_t*>(&values[i]), kSize});
#endif
}

}  // namespace pgmpc
