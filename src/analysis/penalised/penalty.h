// Brings one problem of an analysis to the scale of the solvers.
//
// The quadratic part of the penalty becomes part of the variances of the columns. Every problem is then a lasso, or a
// linear system, on a correlation matrix (docs/design/lasso.md, "From records to correlations").
//
// Terms
// l1 and quadratic are lambda * alpha and lambda * (1 - alpha) of the spec. The objective is
// 1/(2n) |y - b0 - Xb|^2 + l1 sum_j s_j |b_j| + quadratic/2 sum_j (s_j b_j)^2, with s_j = sd_j when standardize, else
// 1. The penalised variance v_j is var_j (1 + quadratic) when standardize, else var_j + quadratic.
// u_j is the solution in units of sd_y / sqrt(v_j).
//
// Invariants
// In these units the quadratic term of the objective is C_ij / sqrt(v_i v_j) off the diagonal and exactly 1 on it. This
// is again a correlation matrix, so the bounds and constants of the solvers hold for every penalty. l1 has the unit of
// the outcome. quadratic has no unit when standardize, else the squared unit of the column; it does not depend on the
// unit of the outcome.
#pragma once
#include <memory>
#include <vector>

#include "algebra/fixed.h"
#include "algebra/matrix.h"
#include "algebra/standardise.h"
#include "analysis/penalised/fit.h"

namespace pgmpc {

// The two parts of the penalty of one lambda ("Terms").
struct Penalty {
  double l1 = 0, quadratic = 0;
};

inline Penalty penalty_of(double lambda, double alpha) { return {lambda * alpha, lambda * (1 - alpha)}; }

// Whether a problem starts from the inverse that all such problems of an analysis share (fit.cpp).
inline bool needs_start_inverse(const Penalty& penalty) { return penalty.l1 > 0 && penalty.quadratic == 0; }

inline constexpr double kMostThreshold = 1.5;  // |b_j| <= 1: with a threshold above 1 the coefficient is zero

// One problem on the scale of the solvers, with what is needed to bring its solution back.
struct Problem {
  std::uint32_t index = 0;             // number of the problem, part of the gate labels
  std::shared_ptr<const Matrix> gram;  // d x d, F bits, ones on the diagonal
  FpVector b;                          // F bits, |b_j| <= 1
  FpVector thresholds;                 // F bits, at most kMostThreshold; empty without an l1 part
  FpVector inverse_root;               // coefficient = u_j * inverse_root_j * sd_y * unscale_j * 2^amplify_j
  FpVector shrink;                     // 1 - var_j / v_j, F bits; empty without a quadratic part
  double least = 0;                    // public lower bound of the eigenvalues of gram
  std::vector<double> unscale;         // public; a power of two unless the quadratic part is capped (penalty.cpp)
  std::vector<int> amplify;            // public, bits
  FpVector variance_violations;        // 0/1 per column: 1 if the penalised variance is above the range
};

// Makes the problem of one penalty. standard and columns: of the attributes, then of the outcome. gram: the
// correlations of the attributes, used unchanged when there is no quadratic part. At most 20 rounds.
Problem make_problem(const Fixed& fixed, std::uint32_t index, const Standardised& standard,
                     std::shared_ptr<const Matrix> gram, const std::vector<ColumnDescription>& columns,
                     bool standardize, Penalty penalty);

}  // namespace pgmpc
