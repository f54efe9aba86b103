#include "regression/plan.h"

#include <algorithm>
#include <cmath>

#include "mpc/comparison.h"
#include "mpc/threshold.h"
#include "regression/design.h"
#include "regression/dominance.h"
#include "regression/fixed.h"
#include "regression/inverse.h"
#include "regression/matrix.h"
#include "regression/metric.h"
#include "regression/penalty.h"
#include "regression/ridge.h"
#include "regression/solver.h"
#include "regression/standardise.h"

namespace pgmpc {

namespace {
constexpr int kTypicalEdges = 20;  // powers of two that a variance is compared with
// Measured (bench/RESULTS.md, "Rounds and accuracy"): a lasso takes 24 rounds and two per iteration.
constexpr int kTypicalIterations = 22, kTypicalMetrics = 4, kTypicalSetupRounds = 24;
constexpr int kTypicalInverseRounds = 8, kTypicalRootRounds = 14;  // of problems with a quadratic part
constexpr int kTypicalRidge = 9, kTypicalRidgeRounds = 7;          // its inverse shares rounds with its iterations

// By truth tables: five rounds where comparison keys take two, in the solver four (comparison.h).
bool compact(const PlannedAnalysis& plan) { return plan.comparison == ComparisonKind::compact; }
constexpr int kMoreSetupRounds = 12;

// Sums count * 2^(bound + 1 - 125) over the openings named.
class Openings {
 public:
  void add(double count, int bound) { exposure_ += count * std::ldexp(1.0, bound + 1 - kMaskBits); }
  double exposure() const { return exposure_; }

 private:
  double exposure_ = 0;
};

// Least number of iterations from one refresh to the next: its rounds are one opening, the doublings and the products.
int refresh_length(const PlannedAnalysis& plan, double d) {
  return std::max(1, static_cast<int>(doublings(d + kMostMetric, kLeastMetric).size() + 2) / (compact(plan) ? 5 : 2));
}

void add_inverse(Openings& o, double d, int bits, double most, double least) {
  const double pairs = d * (d + 1) / 2;
  o.add(pairs, bits + static_cast<int>(std::ceil(std::log2(most))) + 1);
  for (const Doubling& doubling : doublings(most, least)) {
    o.add(pairs, grown_bound(bits, doubling));
    o.add(pairs, 2 * bits + 1);
  }
}

void add_metric(Openings& o, double d, int bits) {
  o.add(d * d, gram_bound(bits));
  o.add(d * d, scaled_bound(bits));
  o.add(d * d, before_bound(bits));
  o.add(d, offset_bound(bits, static_cast<std::size_t>(d)));
  o.add(2 * d, threshold_bound(bits));
}

void add_setup(Openings& o, const PlannedAnalysis& plan, int bits) {
  const auto columns = static_cast<double>(plan.columns);
  const std::size_t rows = std::max<std::size_t>(plan.rows, 1), groups = dominance_groups(plan.max_dominance, rows);
  const double pairs = columns * (columns + 1) / 2;
  o.add(pairs, moment_bits(rows));
  o.add(columns, mean_bound(static_cast<int>(std::ceil(std::log2(rows)))));
  o.add(columns * static_cast<double>(groups), group_bits((rows + groups - 1) / groups));
  o.add(columns, moment_bits(rows));
  o.add(2 * columns + 2 * pairs + 2, kCompareBound);  // precheck, every column a 0/1 column
  o.add(pairs, 2 * bits + 13);
  o.add(pairs, 2 * kStepBits + 13);  // every column two-valued: products of steps, means, and values in local units
  o.add(columns, bits + kStepBits + 8);
  o.add(columns, bits + kStepBits + 7);
  o.add(pairs, bits + kStepBits + 11);
  o.add(columns, bits + kStepBits + 12);
  o.add(16 * columns, kCompareBound);  // spline and its corrections
  o.add(pairs, 2 * bits + 13);
  o.add(pairs, 2 * bits + 3);
  o.add(pairs, 2 * bits + 1);
}

// The rules over the joint design (design.h).
void add_design(Openings& o, const PlannedAnalysis& plan, double d, int bits) {
  RowRules rules;
  rules.max_leverage = plan.max_leverage;
  rules.max_vif = plan.max_vif;
  if (!checks_design(rules)) return;
  const double pairs = d * (d + 1) / 2;
  const auto attributes = static_cast<std::size_t>(d);
  const double shift = design_shift(attributes, plan.max_vif), most = near_most(attributes) + shift;
  const int scale = design_scale(attributes, plan.max_vif);
  o.add(pairs, std::max(bits + static_cast<int>(std::ceil(std::log2(most))) + 1, 30 + scale));
  for (const Doubling& doubling : doublings(most, shift)) {
    o.add(pairs, grown_bound(bits, doubling, scale));
    o.add(pairs, 2 * bits + 1);
  }
  o.add(d, kCompareBound);
  if (!checks_leverage(rules)) return;
  const std::size_t rows = std::max<std::size_t>(plan.rows, 1), stretches = design_stretches(attributes, rows);
  o.add(pairs * static_cast<double>(stretches), stretch_bound((rows + stretches - 1) / stretches));
  o.add(pairs, weight_bound(bits));
  o.add(static_cast<double>(stretches), kTraceBound);
  o.add(static_cast<double>(stretches) + 1, kCompareBound);
}

// The quadratic part on the scale of the solver, see penalty.cpp.
void add_quadratic(Openings& o, double d, int bits, bool standardize) {
  const double pairs = d * (d + 1) / 2;
  if (standardize) {
    o.add(pairs + d, 2 * bits + 1);
    return o.add(d, 2 * bits + 7);  // roots
  }
  o.add(d, bits + 13);
  o.add(17 * d, kCompareBound);  // spline and its corrections
  o.add(pairs + d, 2 * bits + 13);
  o.add(pairs + d, 2 * bits + 7);
}

void add_iterations(Openings& o, double d, int bits, const PlannedAnalysis& plan) {
  add_metric(o, d, bits);
  const int refreshes = std::clamp((plan.max_iterations - kFirstRefresh) / refresh_length(plan, d) + 1, 0, 12);
  for (int k = 0; k < refreshes; ++k) {
    o.add(d, 2);
    add_inverse(o, d, bits, d + kMostMetric, kLeastMetric);
    add_metric(o, d, bits);
    o.add(d, solver_bound(bits));  // w in the new metric
  }
  o.add(3 * d * plan.max_iterations, solver_bound(bits));
}

void add_ridge(Openings& o, double d, int bits, double least, int max_iterations) {
  add_inverse(o, d, bits, d + kRidgeMetric, std::max(least, kRidgeMetric));
  o.add(d * d, 2 * bits + 1);
  o.add(d, 2 * bits + 6);
  o.add(d * max_iterations, ridge_bound(bits, max_iterations));
}

void add_problem(Openings& o, double d, int bits, const Penalty& penalty, const PlannedAnalysis& plan) {
  const bool quadratic = penalty.quadratic > 0;
  if (quadratic) add_quadratic(o, d, bits, plan.standardize);
  if (penalty.l1 > 0) {
    o.add(2 * d, kCompareBound);
    if (quadratic) add_inverse(o, d, bits, d + kStartMetric, kStartMetric);
    add_iterations(o, d, bits, plan);
  } else {
    const double least = plan.standardize ? penalty.quadratic / (1 + penalty.quadratic) : 0;
    add_ridge(o, d, bits, least, plan.max_iterations);
  }
  const double checks = plan.max_iterations / kCheckEvery + 1;
  o.add(2 * checks, kLengthBound);
  o.add(checks, kCompareBound);
  o.add(2 * d, 2 * bits + 15);  // unscale
  o.add(1, kLengthBound);
  o.add(1 + 4 + 2 * d + 2, kCompareBound);                              // fit, faults, release
  if (plan.precision != Precision::exact) o.add(d + 1, kCompareBound);  // exponents of the grids
  o.add(d, quadratic ? 88 : 60);                                        // means
  o.add(1, 84);                                                         // intercept
}

// Bytes of an inverse for a metric with its products, of an iteration with comparisons, and of one without.
struct Parts {
  double metric, iteration, ridge_iteration;
};

Parts parts_of(double d, ComparisonKind comparison) {
  const double pairs = d * (d + 1) / 2, elements = 16.0 * 4 / 3;
  const double gate_bytes = comparison_bytes(comparison, kCompareBound - 46, 1, true);
  const auto rounds = static_cast<double>(doublings(d + kMostMetric, kLeastMetric).size());
  return {((2 * rounds - 1) * pairs + 3 * d * d) * elements, 2 * d * (gate_bytes + elements * 1.5) + d * elements,
          d * elements};
}

// Opening the exponents of the grids and rounding to them, where the exact release is rounded beside its checks.
constexpr int kGridRounds = 3;

// Inverse, weights and traces of the design, and comparisons; its rounds are those of the first iterations.
double design_bytes(const PlannedAnalysis& plan, double d) {
  RowRules rules;
  rules.max_leverage = plan.max_leverage;
  rules.max_vif = plan.max_vif;
  if (!checks_design(rules)) return 0;
  const double pairs = d * (d + 1) / 2, elements = 16.0 * 4 / 3;
  const auto attributes = static_cast<std::size_t>(d);
  const double shift = design_shift(attributes, plan.max_vif),
               gate = comparison_bytes(plan.comparison, kCompareBound, 1, false);
  const double steps = static_cast<double>(doublings(near_most(attributes) + shift, shift).size());
  double bytes = 2 * steps * pairs * elements + (plan.max_vif > 0 ? d * gate : 0);
  if (!checks_leverage(rules)) return bytes;
  const double stretches = static_cast<double>(design_stretches(attributes, std::max<std::size_t>(plan.rows, 1)));
  return bytes + (pairs * (stretches + 1) + stretches) * elements + (stretches + 1) * gate;
}
}  // namespace

double planned_exposure(const PlannedAnalysis& plan) {
  const int bits = Fixed::bits_for(plan.columns, plan.rows, plan.lambdas.size());
  const auto columns = static_cast<double>(plan.columns), d = std::max(columns - 1, 1.0);
  Openings o;
  add_setup(o, plan, bits);
  add_design(o, plan, d, bits);
  o.add(d * (d + 1) / 2, 2 * bits + 13);  // near correlations
  o.add(d * (d + 1) / 2, 2 * bits + 3);
  if (plan.alpha == 1) {
    add_inverse(o, d, bits, d + kStartMetric, kStartMetric);
  }
  if (plan.precision != Precision::exact) {  // grids
    o.add(d, 2 * bits + 12);
    o.add(columns, kCompareBound);
    o.add(columns, 2 * bits + 2);
    o.add(columns, 2 * bits + 3);
  }
  for (double lambda : plan.lambdas) add_problem(o, d, bits, penalty_of(lambda, plan.alpha), plan);
  o.add(1, kCompareBound);
  return o.exposure();
}

std::int64_t typical_rounds(const PlannedAnalysis& plan) {
  const bool own_roots = plan.alpha < 1 && !plan.standardize;
  const int iterations = plan.alpha > 0 ? (compact(plan) ? 4 : 2) * kTypicalIterations : kTypicalRidgeRounds;
  return kTypicalSetupRounds + (compact(plan) ? kMoreSetupRounds : 0) + (own_roots ? kTypicalRootRounds : 0) +
         (plan.alpha < 1 ? kTypicalInverseRounds : 0) + iterations +
         (plan.precision != Precision::exact ? kGridRounds : 0);
}

std::int64_t typical_bytes_per_party(const PlannedAnalysis& plan) {
  const auto columns = static_cast<double>(plan.columns), d = std::max(columns - 1, 1.0);
  const double pairs = d * (d + 1) / 2, elements = 16.0 * 4 / 3;
  const Parts parts = parts_of(d, plan.comparison);
  const double groups = static_cast<double>(dominance_groups(plan.max_dominance, std::max<std::size_t>(plan.rows, 1)));
  const double setup = (6 * pairs + columns * groups) * elements +
                       columns * comparison_bytes(plan.comparison, kCompareBound, kTypicalEdges, false);
  const double problem = plan.alpha > 0 ? kTypicalIterations * parts.iteration + kTypicalMetrics * parts.metric
                                        : kTypicalRidge * parts.ridge_iteration + parts.metric;
  const double grid_gates = plan.precision != Precision::exact ? columns : 0;
  const double grid = comparison_bytes(plan.comparison, kCompareBound, 1, false) * grid_gates;
  return static_cast<std::int64_t>(setup + grid + design_bytes(plan, d) +
                                   static_cast<double>(plan.lambdas.size()) * (problem + grid));
}

}  // namespace pgmpc
