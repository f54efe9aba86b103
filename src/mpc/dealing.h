// What: the round that all comparison gates share: masked opening plus, in the same messages, the comparison keys and
//       constants of the dealer of each coordinate.
// Terms: constants = elements known to the dealer and shared additively between the evaluators: e1's half comes from
//        the PRF, e2's half is sent.
#pragma once
#include <functional>

#include "mpc/dcf.h"
#include "mpc/opening.h"

namespace pgmpc {

struct Dealing {
  DcfShape shape;
  int constants = 0;
  // At the dealer, per gate: fills alpha, shape.width elements of beta, and the constants, from the masks.
  std::function<void(u128 r1, u128 r2, u128& alpha, Fp* beta, Fp* constants)> secrets;
};

struct Dealt {
  Opened opened;
  std::size_t gates = 0;
  DcfShape shape;
  int constants_per_gate = 0;
  FpVector constants;                // this evaluator's halves, [gate*constants_per_gate + k]
  std::array<Bytes, kParties> keys;  // by dealer
  // 0 for e1, 1 for e2 of the gate, -1 for its dealer.
  int evaluator(int self, std::size_t gate) const {
    const int dealer = dealer_of(gate);
    return self == dealer ? -1 : (self == (dealer + 1) % kParties ? 0 : 1);
  }
};

// The first `gates` coordinates of values get keys; all of them are opened with this offset and bound (opening.h).
Dealt open_with_keys(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                     std::size_t gates, const Dealing& dealing);

// DCF shares of every gate this party evaluates at its points: x(gate, point) < 2^domain.
// Result index (gate*points + point)*width + k; zero where this party is the dealer.
FpVector evaluate_keys(Session& session, const Dealt& dealt, int points,
                       const std::function<u128(std::size_t gate, int point)>& x);

}  // namespace pgmpc
