// What: the public grid that lambdas lie on unless the release is exact: 2^(k/16), six significant digits. Neighbours
//       differ by 4.4 %, so a lambda moves by 2.2 % at most; 0 stays 0.
//       On a grid, a path cannot be made of penalties that differ by next to nothing, which would average the rounding
//       of the models away (review of disclosure, docs/disclosure.md).
// Invariant: a point of the grid is its own nearest point, on every machine: the digits are few enough that the last
//            bit of exp2 does not matter.
#pragma once
#include <optional>

namespace pgmpc {

inline constexpr int kLambdaSteps = 16;  // per factor of 2

// The nearest point by ratio; the next one above where that would be below least.
double lambda_on_grid(double lambda, const std::optional<double>& least = {});

}  // namespace pgmpc
