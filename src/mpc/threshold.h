// What: the comparison inside every gate of comparison.h: 1{x < alpha} xor flip, where alpha and flip follow from the
//       masks of an opening (the dealer knows them) and x from the opened value (the evaluators know it). By comparison
//       keys or by truth tables, as the session's ComparisonKind says; the result is the same.
// Terms: factor = (R1 >> factor_shift) + (R2 >> factor_shift), which the result can be multiplied with; base = an
// element
//        known to the dealer that is added to the bits.
// Invariants: results are additive between the two evaluators and leave them only through reshare; rounds and sizes
//             depend on public numbers only.
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
  FpVector products;  // factor * bit, in the same places; empty without factor_shift
};

// The first `gates` values are compared; all of them are opened with this offset and bound (opening.h). One round by
// keys; by tables one more for each of its messages between the evaluators.
Compared compare(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                 std::size_t gates, const ThresholdGate& gate);

// Bytes that a party sends for one gate beside the opening, on average.
double comparison_bytes(ComparisonKind kind, int domain, int points, bool has_factor);

}  // namespace pgmpc
