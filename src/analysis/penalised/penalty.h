// What: one problem of an analysis on the scale of the solvers: the quadratic part of the penalty becomes part of the
//       variances of the columns, so that every problem is a lasso (or a linear system) on a correlation matrix.
// Terms: l1, quadratic = lambda * alpha and lambda * (1 - alpha) of the spec: the objective is
//        1/(2n) |y - b0 - Xb|^2 + l1 sum_j s_j |b_j| + quadratic/2 sum_j (s_j b_j)^2, s_j = sd_j when standardize, else
//        1. penalised variance v_j = var_j (1 + quadratic) when standardize, else var_j + quadratic; u_j = solution in
//        units of sd_y / sqrt(v_j).
// Invariants: in these units the quadratic term of the objective is C_ij / sqrt(v_i v_j) off the diagonal and exactly 1
//             on it: again a correlation matrix, so bounds and constants of the solvers hold for every penalty. l1 is
//             in units of the outcome, quadratic without a unit when standardize (in squared units of the column else):
//             neither depends on the unit of the outcome twice.
#pragma once
#include <memory>
#include <vector>

#include "algebra/fixed.h"
#include "algebra/matrix.h"
#include "algebra/standardise.h"
#include "analysis/penalised/fit.h"

namespace pgmpc {

struct Penalty {
  double l1 = 0, quadratic = 0;
};

inline Penalty penalty_of(double lambda, double alpha) { return {lambda * alpha, lambda * (1 - alpha)}; }

inline constexpr double kMostThreshold = 1.5;  // |b_j| <= 1: above 1 every coefficient is zero

struct Problem {
  std::uint32_t index = 0;             // keeps the labels of several problems apart
  std::shared_ptr<const Matrix> gram;  // d x d, F bits, ones on the diagonal
  FpVector b;                          // F bits, |b_j| <= 1
  FpVector thresholds;                 // F bits, at most kMostThreshold; empty without an l1 part
  FpVector root;                       // coefficient = u_j * root_j * sd_y * unscale_j * 2^amplify_j
  FpVector shrink;                     // 1 - var_j / v_j, F bits; empty without a quadratic part
  double least = 0;                    // no eigenvalue of gram is smaller (public)
  std::vector<double> unscale;         // public, a power of two below quadratic parts of 2^30
  std::vector<int> amplify;            // public, bits
  FpVector faults;                     // 0/1 per column: penalised variance above the range
};

// gram: the correlations of the attributes. Without a quadratic part it is taken as it is. At most 20 rounds.
Problem make_problem(const Fixed& fixed, std::uint32_t index, const Standardised& standard,
                     std::shared_ptr<const Matrix> gram, const std::vector<ColumnDescription>& columns,
                     bool standardize, Penalty penalty);

}  // namespace pgmpc
