// What: the round that all comparison gates share: masked opening plus, in the same messages, what the dealer of each
//       coordinate prepares: keys (opaque bytes, one form for each kind of comparison) and constants.
// Terms: constants = elements known to the dealer and shared additively between the evaluators: e1's half comes from
//        the PRF, e2's half is sent.
#pragma once
#include <functional>

#include "mpc/opening.h"

namespace pgmpc {

// Of one gate: bytes sent to e1 and to e2, and the number of constants.
struct DealtSizes {
  std::size_t first = 0, second = 0;
  std::size_t constants = 0;
};

// At a dealer: appends the keys of its gates to first and second, fills constants ([i * sizes.constants + k] for the
// i-th of the gates).
using Deal = std::function<void(std::span<const std::size_t> gates, const Masks& masks, Bytes& first, Bytes& second,
                                FpVector& constants)>;

struct Dealt {
  Opened opened;
  FpVector constants;                // this evaluator's halves, [gate * sizes.constants + k]
  std::array<Bytes, kParties> keys;  // by dealer
};

// Gates j < gates with j mod 3 == dealer.
std::vector<std::size_t> gates_of(int dealer, std::size_t gates);
// 0 for e1, 1 for e2 of the gate, -1 for its dealer.
int evaluator_of(int self, std::size_t gate);

// The first `gates` coordinates of values get keys; all of them are opened with this offset and bound (opening.h).
Dealt open_with_keys(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                     std::size_t gates, const DealtSizes& sizes, const Deal& deal);

}  // namespace pgmpc
