// One metric of SAM-ADMM on shares: the diagonal R and everything that an iteration needs of it.
//
// Invariants
// R and 1/R are small secret integers in units of 1/64 and 1/16, without error. They do not depend on the iterate, so a
// metric can be computed in the background. All products use the same approximate inverse M of G + R
// (algebra/inverse.h). The fixed point of an iteration, M (b - G z + R (z - w)) = 0, is therefore that of the exact
// inverse.
#pragma once
#include "algebra/fixed.h"
#include "algebra/matrix.h"

namespace pgmpc {

struct Metric {
  FpVector weight;            // 64 R
  Matrix gram;                // M G, F bits
  Matrix scaled;              // M R, F bits
  FpVector offset;            // M b, F bits
  FpVector scaled_threshold;  // t / R, F bits
  // For the first iteration with this metric, from the previous one, R_old. Empty for the first metric.
  Matrix before;   // M R_old, F bits
  FpVector ratio;  // 1024 R_old / R, exact
};

inline constexpr double kLeastMetric = 1.0 / 64, kMostMetric = 16;

// Bits of the opened products: 2F of them fractional for gram and offset, F for the others.
// |M R| <= (1 + kInverseError) sqrt(kMostMetric / kLeastMetric), because R^1/2 (G + R)^-1 R^1/2 has no eigenvalue above
// 1. Hence |M G| <= 34. |M| <= 64.25, and |b| <= sqrt(d).
inline int gram_bound(int fixed_bits) { return 2 * fixed_bits + 6; }
inline int scaled_bound(int fixed_bits) { return fixed_bits + 12; }
inline int before_bound(int fixed_bits) { return fixed_bits + 17; }
inline int offset_bound(int fixed_bits, std::size_t d) {
  return 2 * fixed_bits + 7 + static_cast<int>(std::ceil(std::log2(static_cast<double>(d)) / 2));
}
inline int threshold_bound(int fixed_bits) { return fixed_bits + 11; }  // t <= 1.5, times 1024; ratios stay below 2^20

// Returns the first metric, R = 1/2 everywhere. inverse: of gram + R. id: see algebra/inverse.h. One round.
Metric start_metric(const Fixed& fixed, std::uint32_t id, const Matrix& inverse, const Matrix& gram, const FpVector& b,
                    const FpVector& thresholds);

// Returns the metric of a support: R = 1/64 where at least one of the two gates of a coordinate is 1, and 16 elsewhere.
// gates: 2 d shared bits, those of max(w - t, 0) and then of max(-w - t, 0). old_weight: 64 R of the metric before.
// About 11 rounds.
Metric support_metric(const Fixed& fixed, std::uint32_t id, const Matrix& gram, const FpVector& b,
                      const FpVector& thresholds, const FpVector& gates, const FpVector& old_weight,
                      const CancelToken& cancel);

}  // namespace pgmpc
