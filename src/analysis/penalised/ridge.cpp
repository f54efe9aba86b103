// Implements the proximal point iteration for ridge.
#include "analysis/penalised/ridge.h"

#include <algorithm>
#include <cmath>

#include "algebra/inverse.h"

namespace pgmpc {

namespace {
// Relative step, 2^-ridge_step_bits, below which iteration k counts as converged. It is stricter than for the lasso,
// because with a small eigenvalue the error is many times the step.
int ridge_step_bits(int k) { return k < 80 ? 28 : k < 160 ? 26 : 24; }

struct Preconditioned {
  Matrix gram;  // M gram
  FpVector b;   // M b
};

Preconditioned precondition(const Fixed& fixed, const Problem& problem, const CancelToken& cancel) {
  const std::size_t d = problem.b.size();
  const double metric = ridge_metric(problem);
  const Matrix m = approximate_inverse(fixed, own_inverse_id(problem.index), *problem.gram, metric,
                                       std::max(kRidgeMetric, problem.least), cancel);
  FpVector values = product(m, *problem.gram, Entries::all);
  const FpVector mb = multiply(m, problem.b);
  values.insert(values.end(), mb.begin(), mb.end());
  // Up to a relative kInverseError, |M gram| <= 1, and |M b| <= 1 / (2 sqrt(R)), or 1 / sqrt(least) when R is 0.
  const Stretch bounds[] = {{d * d, 2 * fixed.bits + 1}, {d, 2 * fixed.bits + 6}};
  const Opened opened = masked_open(fixed.session, fixed.label(Phase::ridge, problem.index, 0), values, bounds);
  Preconditioned out;
  out.gram = Matrix(d);
  out.gram.at = truncated(fixed.session, opened, fixed.bits, 0, d * d);
  out.b = truncated(fixed.session, opened, fixed.bits, d * d, d);
  return out;
}
}  // namespace

int ridge_bound(int fixed_bits, int max_iterations) {
  return 2 * fixed_bits + 6 + static_cast<int>(std::ceil(std::log2(std::max(max_iterations, 1)) / 2));
}

double ridge_metric(const Problem& problem) { return problem.least >= kRidgeMetric ? 0 : kRidgeMetric; }

Solution solve_ridge(const Fixed& fixed, TaskGroup& tasks, const Problem& problem, const TaskGroup::Handle& allowed,
                     int max_iterations, const CancelToken& cancel, const IterationCallback& progress) {
  check_iterations(max_iterations);
  const Preconditioned system = precondition(fixed, problem, cancel);
  const std::size_t d = problem.b.size();
  const int bound = ridge_bound(fixed.bits, max_iterations);
  Solution solution;
  FpVector& u = solution.z = FpVector(d);
  StopBit stop(fixed, tasks, problem.index, d, allowed);
  for (int k = 1; k <= max_iterations && !solution.converged; ++k) {
    FpVector next = multiply(system.gram, u);
    for (std::size_t j = 0; j < d; ++j) next[j] = shifted(u[j] + system.b[j], fixed.bits) - next[j];
    next = truncate(fixed.session, fixed.label(Phase::ridge, iteration_label(problem.index, k), 1), next, fixed.bits,
                    bound);
    std::swap(u, next);
    solution.iterations = k;
    if (progress) progress(k);
    solution.converged = stop.after(k, k == max_iterations, u, u, next, ridge_step_bits(k));
  }
  if (!solution.converged) solution.converged = stop.wait();
  return solution;
}

}  // namespace pgmpc
