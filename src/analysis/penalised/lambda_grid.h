// The public grid of lambdas, used unless the release is exact: 2^(k/16) with six significant digits.
//
// Neighbours differ by 4.4 %, so a lambda moves by at most 2.2 %. 0 stays 0. Without the grid, a path of penalties that
// hardly differ would average the rounding of the models away (docs/disclosure.md).
//
// Invariants
// A point of the grid is its own nearest point on every machine, because six digits do not depend on the last bit of
// exp2.
#pragma once
#include <optional>

namespace pgmpc {

inline constexpr int kLambdaSteps = 16;  // per factor of 2

// Returns the grid point with the smallest ratio to lambda >= 0, or the next one above if that one is below `least` and
// lambda is not.
double lambda_on_grid(double lambda, const std::optional<double>& least = {});

}  // namespace pgmpc
