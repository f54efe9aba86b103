// Comparisons, ReLU (soft threshold) and exact truncation on shares.
// They use comparisons that the third role of each coordinate deals (threshold.h, dcf.h, truth_table.h; rules F3, F16,
// F29).
//
// Terms
// c = x + 2^82 + R1 + R2 (opening.h). x >= 0 exactly when msb(c) xor msb(R) xor 1{c_low < R_low} = 1, all modulo 2^83.
// cut: the number of low bits that a comparison ignores (only where the result is continuous).
//
// Invariants
// |x| < 2^82 for every compared value, and for x minus a public threshold. The output of a gate leaves its evaluator
// only through reshare (type GateOutput): it is never opened and never sent to its dealer. Comparisons of one opening
// with several public thresholds use one key, because the key depends on R alone.
//
// Rounds
// The numbers below are those of comparison keys; those of truth tables follow in brackets (ComparisonKind of the
// session).
#pragma once
#include <span>

#include "mpc/opening.h"

namespace pgmpc {

inline constexpr int kCompareBound = kValueBits - 1;  // 82

// Values shared additively between the two evaluators of each gate. There is no accessor: only reshare() takes them.
class GateOutput {
 public:
  GateOutput(std::size_t gates, int per_gate) : per_gate_(per_gate), value_(gates * per_gate) {}

 private:
  friend struct GateOutputWriter;
  friend FpVector reshare(Session& session, const GateLabel& label, GateOutput output);
  int per_gate_;
  FpVector value_;
};

// Turns additive shares of the evaluators into a degree-1 sharing. One round; 2 elements per value go to the dealer
// only.
FpVector reshare(Session& session, const GateLabel& label, GateOutput output);

// Bits 1{x_j >= thresholds[k]} as degree-1 sharings of 0 or 1, at index j*thresholds.size() + k. Exact. Two rounds
// (compact: five).
FpVector at_least(Session& session, const GateLabel& label, std::span<const Fp> values,
                  std::span<const i128> thresholds);

struct ReluResult {
  FpVector relu;    // max(x_j, 0) / 2^shift for the first `relus` coordinates, error below 2 units
  FpVector active;  // 1{x_j >= 0} for those; empty unless asked for
  FpVector rest;    // x_j / 2^shift for the others, truncated in the same opening
};
// values: of degree <= 2, |value| < 2^bound <= 2^82. The sign is decided on values rounded to 2^cut, cut <= shift. Two
// rounds (compact: four for up to 45 compared bits, else five).
ReluResult relu_and_truncate(Session& session, const GateLabel& label, std::span<const Fp> values, std::size_t relus,
                             int shift, int cut, int bound, bool want_active);

// Returns round(x_j / 2^shift), ties upwards, exactly: a zero stays zero (rule F16). values: of degree <= 2, |value| <
// 2^bound. shift >= 1. Two rounds (compact: four for shifts up to 45, else five).
FpVector exact_truncate(Session& session, const GateLabel& label, std::span<const Fp> values, int shift, int bound);

}  // namespace pgmpc
