// The round that all comparison gates share.
// It opens masked values. The same messages carry what the dealer of each coordinate prepares: keys (opaque bytes, one
// form for each kind of comparison) and constants.
//
// Terms
// constants: elements that the dealer knows and shares additively between the evaluators. e1's half comes from the PRF,
// e2's half is sent.
#pragma once
#include <functional>

#include "mpc/opening.h"

namespace pgmpc {

// For one gate: the bytes sent to e1 and to e2, and the number of constants.
struct DealtSizes {
  std::size_t first = 0, second = 0;
  std::size_t constants = 0;
};

// Called at a dealer: appends the keys of its gates to first and second, and fills constants ([i * sizes.constants + k]
// for the i-th of the gates).
using Deal = std::function<void(std::span<const std::size_t> gates, const Masks& masks, Bytes& first, Bytes& second,
                                FpVector& constants)>;

struct Dealt {
  Opened opened;
  FpVector constants;                // this evaluator's halves, [gate * sizes.constants + k]
  std::array<Bytes, kParties> keys;  // by dealer
};

// Returns the gates j < gates with j mod 3 == dealer.
std::vector<std::size_t> gates_of(int dealer, std::size_t gates);
// Returns 0 for e1 of the gate, 1 for e2, -1 for its dealer.
int evaluator_of(int self, std::size_t gate);

// The first `gates` coordinates of values get keys. All of them are opened with this offset and bound (opening.h).
Dealt open_with_keys(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                     std::size_t gates, const DealtSizes& sizes, const Deal& deal);

}  // namespace pgmpc
