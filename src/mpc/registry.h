// Checks that only builds for tests make.
// LabelRegistry refuses a second use of a PRF block (rule F1). RangeProbe reconstructs every opened value from the
// three parties of one process and checks its bound (rule F14).
#pragma once
#ifdef PG_MPC_TESTING
#include <array>
#include <map>
#include <mutex>
#include <span>
#include <tuple>
#include <vector>

#include "base/channel.h"
#include "mpc/label.h"
#include "sharing/field.h"

namespace pgmpc {

struct Stretch;

class LabelRegistry {
 public:
  // Registers the coordinates first, first+stride, ... Throws Error(internal) when one of them was registered before.
  void claim(Purpose purpose, int sender, int receiver, const GateLabel& label, std::uint16_t part, std::uint32_t first,
             std::uint32_t stride, std::size_t count);

 private:
  struct Range {
    std::uint64_t first, stride, count;
  };
  std::map<std::tuple<Purpose, int, int, GateLabel, std::uint16_t>, std::vector<Range>> used_;
};

class RangeProbe {
 public:
  // Adds this party's additive shares. The call of the last party checks |sum| < 2^bound, stretch by stretch, and
  // throws Error(internal). It returns the bits of the widest value; the first two parties get 0.
  static int check(const std::array<std::uint8_t, 32>& sid, const GateLabel& label, int party,
                   std::span<const Fp> additive, std::span<const Stretch> bounds);
  static void enable(bool on);  // off by default: share-level tests with one real party cannot use it
};

}  // namespace pgmpc
#endif
