// Solves a lasso on a secret correlation matrix by SAM-ADMM: over-relaxed ADMM in the form of Douglas-Rachford
// splitting, with a diagonal metric that adapts to the secret support.
//
// The problem is to minimise 1/2 z'Gz - b'z + sum_j t_j |z_j| for secret G, b, t on the correlation scale. An iteration
// takes two rounds. The inverse of the next metric and the stop bit are computed in the background, in the same rounds.
//
// Terms
// The metric R is a diagonal matrix: 1/2 at first, then 1/64 on the support and 16 off it.
// A refresh computes a new metric, with its inverse, from the current support.
// The relaxation alternates between 2 and 1. A step of 1 removes the error in the directions that the metric fits. A
// step of 2 goes twice as far in the others.
// Converged: the step is below 2^-24 of the length of z, 2^-20 late in long runs. One bit is opened every kCheckEvery
// iterations (rule F17).
//
// Invariants
// Raw values and thresholds together stay below 2^(2F+8), because thresholds are at most kMostThreshold.
// After the last refresh the metric is fixed. The iteration is then the Krasnoselskii-Mann iteration of a nonexpansive
// map with relaxations in [0, 2], which converges for every R > 0. The error of an approximate inverse changes a step
// by at most kInverseError of its length, and does not change a step of zero.
//
// Source
// docs/design/lasso.md, "The solver"; Eckstein and Bertsekas, Mathematical Programming 55, 1992.
#pragma once
#include <functional>

#include "algebra/fixed.h"
#include "algebra/matrix.h"
#include "analysis/penalised/convergence.h"
#include "analysis/penalised/penalty.h"
#include "mpc/task_group.h"

namespace pgmpc {

inline constexpr double kStartMetric = 0.5;
// Iteration after which the first refresh begins. By then the support is mostly right. The inverse takes 5 to 6
// iterations more.
inline constexpr int kFirstRefresh = 4;

// Returns the bits of the widest value that an iteration opens.
inline int solver_bound(int fixed_bits) { return 2 * fixed_bits + 8; }

using IterationCallback = std::function<void(int iteration)>;

// inverse: approximate inverse of problem.gram + kStartMetric I; an error of a tenth is accurate enough here. allowed:
// the task of the precheck (convergence.h). progress: called after every iteration, may be empty. Throws
// Error(invalid_parameter) for too many iterations.
Solution solve_lasso(const Fixed& fixed, TaskGroup& tasks, const Problem& problem, const Matrix& inverse,
                     const TaskGroup::Handle& allowed, int max_iterations, const CancelToken& cancel,
                     const IterationCallback& progress);

// Return label numbers of inverses: the start metric of all problems without a quadratic part, and that of one problem
// with it.
std::uint32_t start_inverse_id();
std::uint32_t own_inverse_id(std::uint32_t problem);

}  // namespace pgmpc
