// The comparison inside every gate of comparison.h: 1{x < alpha} xor flip.
// alpha and flip follow from the masks of an opening, which the dealer knows. x follows from the opened value, which
// the evaluators know. The session's ComparisonKind chooses comparison keys or truth tables; the result is the same.
//
// Terms
// factor = (R1 >> factor_shift) + (R2 >> factor_shift): the result can be multiplied by it.
// base: an element known to the dealer that is added to the bits.
//
// Invariants
// Results are shared additively between the two evaluators and leave them only through reshare. Rounds and sizes depend
// on public numbers only.
#pragma once
#include <functional>
#include <optional>

#include "mpc/opening.h"

namespace pgmpc {

struct ThresholdSecrets {
  u128 alpha = 0;  // < 2^domain
  unsigned flip = 0;
  Fp base;
};

struct ThresholdGate {
  int domain = 0;  // bits of alpha and x
  int points = 1;
  bool has_base = false;
  std::optional<int> factor_shift;
  std::function<ThresholdSecrets(u128 r1, u128 r2)> secrets;  // at the dealer
  std::function<u128(u128 c, int point)> x;                   // at the evaluators
};

struct Compared {
  Opened opened;
  FpVector bits;      // base + bit, [gate * points + point]; 0 at the gate's dealer
  FpVector products;  // factor * bit, at the same indices; empty without factor_shift
};

// Compares the first `gates` values and opens all of them with this offset and bound (opening.h). One round by keys.
// Tables add one round for each of their messages between the evaluators.
Compared compare(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                 std::size_t gates, const ThresholdGate& gate);

// The bytes that a party sends for one gate beside the opening, on average.
double comparison_bytes(ComparisonKind kind, int domain, int points, bool has_factor);

}  // namespace pgmpc
