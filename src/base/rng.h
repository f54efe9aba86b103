// What: randomness. Everything random in the product comes from an Rng; production code uses only system_rng()
//       (the operating system's CSPRNG through OpenSSL, fork-safe). Tests inject deterministic generators.
#pragma once
#include <cstdint>
#include <span>

namespace pgmpc {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;  // Error(internal) when the generator fails

  std::uint64_t u64();
  // Uniform in [0, bound), bound >= 1, by rejection (no modulo bias).
  std::uint64_t below(std::uint64_t bound);
};

// RAND_priv_bytes. Thread-safe.
Rng& system_rng();

}  // namespace pgmpc
