// The source of randomness. Everything random in the extension comes from an Rng.
// Production code uses only system_rng(): the operating system's CSPRNG through OpenSSL, safe across fork. Tests inject
// deterministic generators.
#pragma once
#include <cstdint>
#include <span>

namespace pgmpc {

class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;  // throws Error(internal) when the generator fails

  std::uint64_t u64();
  // Uniform in [0, bound) for bound >= 1, by rejection (no modulo bias).
  std::uint64_t below(std::uint64_t bound);
};

// Calls RAND_priv_bytes. Any thread may use it.
Rng& system_rng();

}  // namespace pgmpc
