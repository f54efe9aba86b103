// Implements the grid of lambdas.
#include "analysis/penalised/lambda_grid.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace pgmpc {

namespace {
double point(double k) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.5e", std::exp2(k / kLambdaSteps));
  double out = 0;
  std::from_chars(digits, digits + sizeof digits, out);
  return out;
}
}  // namespace

double lambda_on_grid(double lambda, const std::optional<double>& least) {
  if (lambda == 0) return 0;
  const double k = std::round(std::log2(lambda) * kLambdaSteps), nearest = point(k);
  if (!(nearest > 0) || !std::isfinite(nearest)) return lambda;  // outside the range of double
  return least && nearest < *least && lambda >= *least ? point(k + 1) : nearest;
}

}  // namespace pgmpc
