#include "base/rng.h"

#include <openssl/rand.h>

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace pgmpc {

std::uint64_t Rng::u64() {
  std::uint8_t bytes[8];
  fill(bytes);
  std::uint64_t value = 0;
  for (std::uint8_t b : bytes) value = value << 8 | b;
  return value;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  // Values below 2^64 mod bound would make small results more likely: draw again.
  const std::uint64_t threshold = (0 - bound) % bound;
  for (;;) {
    std::uint64_t value = u64();
    if (value >= threshold) return value % bound;
  }
}

namespace {
class SystemRng final : public Rng {
 public:
  void fill(std::span<std::uint8_t> out) override {
    while (!out.empty()) {
      std::size_t part = std::min<std::size_t>(out.size(), std::numeric_limits<int>::max());
      if (RAND_priv_bytes(out.data(), static_cast<int>(part)) != 1)
        throw Error(ErrorCode::internal, "the system's random number generator failed");
      out = out.subspan(part);
    }
  }
};
}  // namespace

Rng& system_rng() {
  static SystemRng rng;
  return rng;
}

}  // namespace pgmpc
