// Solves a problem without an l1 part: the linear system gram u = b, where gram holds correlations.
//
// One approximate inverse M of gram + R I preconditions the proximal point iteration u := u + M (b - gram u), one round
// per iteration. R is kRidgeMetric, or 0 where the quadratic part already keeps the eigenvalues above it. There are no
// comparisons, so no keys are dealt.
//
// Invariants
// gram and b belong to one correlation matrix of attributes and outcome. So |M b| <= 2^4 (within kInverseError), and
// after k steps |u| <= 2^5 sqrt(k), whatever the eigenvalues are. M gram and M b come from the same M, so the solution
// does not depend on the precision of M. The iteration converges for every R > 0. If gram is singular and there is no
// quadratic part, it converges to the solution of least length.
#pragma once
#include "analysis/penalised/solver.h"

namespace pgmpc {

inline constexpr double kRidgeMetric = 0x1p-10;

// Returns the bits of the widest value that an iteration opens.
int ridge_bound(int fixed_bits, int max_iterations);
// Returns R of a problem.
double ridge_metric(const Problem& problem);

// allowed: the task of the precheck (convergence.h). progress: called after every iteration, may be empty. Throws
// Error(invalid_parameter) for too many iterations.
Solution solve_ridge(const Fixed& fixed, TaskGroup& tasks, const Problem& problem, const TaskGroup::Handle& allowed,
                     int max_iterations, const CancelToken& cancel, const IterationCallback& progress);

}  // namespace pgmpc
