// What: lasso on a secret correlation matrix by SAM-ADMM: over-relaxed ADMM (Douglas-Rachford; Eckstein and Bertsekas,
//       Mathematical Programming 55, 1992) whose diagonal metric adapts to the (secret) support (docs/protocol.md,
//       step 8). Two rounds per iteration; the inverse of the next metric and the stop bit run in the background, in
//       the rounds of the iterations.
// Problem: minimise 1/2 z'Gz - b'z + sum_j t_j |z_j| for secret G, b, t on the correlation scale.
// Terms: metric R = diagonal of the quadratic term (1/2 at first, then 1/64 on the support and 16 off it);
//        refresh = new metric from the current support with its inverse; relaxation = 2 and 1 in turns: a step of 1
//        removes what lies in the directions that the metric fits, one of 2 goes twice as far in the others;
//        converged = step below 2^-24 of the length of z (2^-20 late in long runs), a single opened bit every
//        kCheckEvery iterations (rule F17).
// Invariants: raw values and thresholds together stay below 2^(2F+8) because thresholds are at most kMostThreshold.
//             With the metric fixed, as it is after kRefreshes, this is the Krasnoselskii-Mann iteration of a
//             nonexpansive map with relaxations in [0, 2]: it converges for every R > 0. That the inverse is only near
//             changes a step by at most kInverseError of itself, and not where it is zero.
#pragma once
#include <functional>

#include "algebra/fixed.h"
#include "algebra/matrix.h"
#include "analysis/penalised/convergence.h"
#include "analysis/penalised/penalty.h"
#include "mpc/task_group.h"

namespace pgmpc {

inline constexpr double kStartMetric = 0.5;
// Iteration after which the first refresh begins. Its inverse takes 5 to 6 more; by then the support is mostly right.
inline constexpr int kFirstRefresh = 4;

// Bits of the widest value an iteration opens.
inline int solver_bound(int fixed_bits) { return 2 * fixed_bits + 8; }

using IterationCallback = std::function<void(int iteration)>;

// inverse: near inverse of problem.gram + kStartMetric I; a tenth off is near enough here.
// allowed: see convergence.h.
Solution solve_lasso(const Fixed& fixed, TaskGroup& tasks, const Problem& problem, const Matrix& inverse,
                     const TaskGroup::Handle& allowed, int max_iterations, const CancelToken& cancel,
                     const IterationCallback& progress);

// Label numbers of inverses: of the start metric of all problems without a quadratic part, and of one problem with it.
std::uint32_t start_inverse_id();
std::uint32_t own_inverse_id(std::uint32_t problem);

}  // namespace pgmpc
