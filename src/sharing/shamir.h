// Shamir's secret sharing over 2^127-1.
// The three-party protocol uses degree 1 at the points 1, 2 (controllers) and 3 (third party).
//
// Terms
// threshold t: the number of shares that open the secret; the degree is t-1.
// Party k holds the value of the polynomial at point k >= 1.
//
// Source
// Shamir, "How to share a secret", CACM 1979.
#pragma once
#include <span>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "sharing/field.h"

namespace pgmpc {

inline constexpr int kMaxShamirParties = 255;

// A field element within 2^-126 of uniform.
Fp random_element(Rng& rng);

// Returns shares for the points 1..parties. Throws Error(invalid_parameter) unless 1 <= threshold <= parties <= 255.
FpVector shamir_split(Fp secret, int threshold, int parties, Rng& rng);

// Returns the weight of the share at each point in the value at 0 of the polynomial through all points.
std::vector<Fp> lagrange_at_zero(std::span<const int> points);

// Returns the secret from shares (point, value). Throws Error(invalid_parameter) unless all points are distinct, in
// 1..255 and at least `threshold`. With threshold > 0 only the first `threshold` shares (ascending points) determine
// the secret, and every surplus share must lie on their polynomial: otherwise Error(inconsistent_shares). threshold 0:
// all shares are used.
Fp shamir_combine(std::span<const std::pair<int, Fp>> shares, int threshold);

}  // namespace pgmpc
