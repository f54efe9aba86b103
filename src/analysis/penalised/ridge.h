// What: a problem without an l1 part: the linear system (correlations) u = b, by one near inverse M of gram + R I and
// the
//       proximal point iteration u := u + M (b - gram u), one round each.
// Terms: R = kRidgeMetric, or 0 where the quadratic part already keeps the eigenvalues above it. Without comparisons
//        there are no keys to deal.
// Invariants: gram and b belong to one correlation matrix of attributes and outcome, so |M b| <= 2^4 (within kInverseError) and
// after k steps
//             |u| <= 2^5 sqrt(k), whatever the eigenvalues are; M gram and M b come from the same M, so that the
//             solution does not depend on the precision of M. Converges for every R > 0; a singular gram without a
//             quadratic part gives the solution of least length.
#pragma once
#include "analysis/penalised/solver.h"

namespace pgmpc {

inline constexpr double kRidgeMetric = 0x1p-10;

// Bits of the widest value an iteration opens.
int ridge_bound(int fixed_bits, int max_iterations);
double ridge_metric(const Problem& problem);

Solution solve_ridge(const Fixed& fixed, TaskGroup& tasks, const Problem& problem, const TaskGroup::Handle& allowed,
                     int max_iterations, const CancelToken& cancel, const IterationCallback& progress);

}  // namespace pgmpc
