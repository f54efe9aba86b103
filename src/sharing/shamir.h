// What: Shamir's secret sharing (Shamir, "How to share a secret", CACM 1979) over 2^127-1.
// Terms: threshold t = number of shares that open the secret; degree = t-1; party k holds the value at point k >= 1.
// The three-party protocol uses degree 1 at the points 1, 2 (controllers) and 3 (third party).
#pragma once
#include <span>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "sharing/field.h"

namespace pgmpc {

inline constexpr int kMaxShamirParties = 255;

// Uniform field element.
Fp random_element(Rng& rng);

// Shares for the points 1..parties. Error(invalid_parameter) unless 1 <= threshold <= parties <= 255.
FpVector shamir_split(Fp secret, int threshold, int parties, Rng& rng);

// Weight of the share at points[i] in the value at 0 of the polynomial through all points.
std::vector<Fp> lagrange_at_zero(std::span<const int> points);

// Secret from shares (point, value); all points distinct and in 1..255, otherwise Error(invalid_parameter).
// With threshold > 0 only the first `threshold` shares (ascending points) determine the secret and every surplus
// share must lie on their polynomial: otherwise Error(inconsistent_shares). threshold 0: all shares are used.
Fp shamir_combine(std::span<const std::pair<int, Fp>> shares, int threshold);

}  // namespace pgmpc
