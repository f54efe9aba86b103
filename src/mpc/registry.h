// What: checks of the testing flavour only. LabelRegistry aborts when a PRF block would be used twice (rule F1);
//       RangeProbe reconstructs every opened value across the three parties of one process and checks its bound (F14).
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
  // Registers coordinates first, first+stride, ...; Error(internal) when one of them was registered before.
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
  // Deposits this party's additive shares; the last of the three checks |sum| < 2^bound, stretch by stretch.
  // Returns the bits of the widest value seen by this call (0 for the first two parties).
  static int check(const std::array<std::uint8_t, 32>& sid, const GateLabel& label, int party,
                   std::span<const Fp> additive, std::span<const Stretch> bounds);
  static void enable(bool on);  // off by default: share-level tests with one real party cannot use it
};

}  // namespace pgmpc
#endif
