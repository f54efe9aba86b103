// What: one metric of SAM-ADMM on shares: the diagonal R and everything an iteration needs of it.
// Invariants: R and 1/R are small secret integers in units of 1/64 and 1/4, exact; computed without touching the
//             iteration's state, so a metric can be made in the background.
#pragma once
#include "regression/fixed.h"
#include "regression/matrix.h"

namespace pgmpc {

struct Metric {
  FpVector weight;            // 64 R
  Matrix scaled_inverse;      // M R, M = (G + R)^-1, F bits
  FpVector offset;            // M b, F bits
  FpVector scaled_threshold;  // t / R, F bits
  FpVector ratio;             // 256 R_old / R, exact; empty for the first metric
};

inline constexpr double kLeastMetric = 1.0 / 64, kMostMetric = 4;

// The first metric, 1/2 everywhere, from its inverse. One round. id: see inverse.h.
Metric start_metric(const Fixed& fixed, std::uint32_t id, const Matrix& inverse, const FpVector& b,
                    const FpVector& thresholds);

// R = 1/64 where one of the two gates of a coordinate is open (opened: 2 d bits), 4 elsewhere. About 20 rounds.
Metric support_metric(const Fixed& fixed, std::uint32_t id, const Matrix& gram, const FpVector& b,
                      const FpVector& thresholds, const FpVector& gates, const FpVector& old_weight,
                      const CancelToken& cancel);

}  // namespace pgmpc
