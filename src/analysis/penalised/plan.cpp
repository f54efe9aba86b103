// Implements the cost of penalised models: what they open and send (analysis/cost.h).
#include <algorithm>
#include <cmath>

#include "algebra/inverse.h"
#include "algebra/matrix.h"
#include "algebra/standardise.h"
#include "analysis/penalised/metric.h"
#include "analysis/penalised/penalised.h"
#include "analysis/penalised/penalty.h"
#include "analysis/penalised/release.h"
#include "analysis/penalised/ridge.h"
#include "analysis/penalised/solver.h"
#include "mpc/comparison.h"
#include "mpc/threshold.h"

namespace pgmpc {

namespace {
// Measured (docs/design/lasso.md, "Cost"). A lasso takes two rounds per iteration, or four with truth tables.
constexpr int kTypicalIterations = 22, kTypicalMetrics = 4;
constexpr int kTypicalInverseRounds = 8, kTypicalRootRounds = 14;  // of problems with a quadratic part
constexpr int kTypicalRidge = 9, kTypicalRidgeRounds = 7;          // iterations, and the rounds that they add
// Rounds for opening the exponents and rounding to the grids. An exact release is rounded beside its checks instead.
constexpr int kGridRounds = 3;

struct Plan {
  const PlannedStudy& study;
  const PenalisedSettings& settings;
};

bool compact(const Plan& plan) { return plan.settings.comparison == ComparisonKind::compact; }

// Returns a lower bound of the iterations from one refresh to the next. The rounds of a refresh are one opening, one
// per Chebyshev step, and one for the products.
int refresh_length(const Plan& plan, double d) {
  return std::max(
      1, static_cast<int>(chebyshev_steps(d + kMostMetric, kLeastMetric).size() + 2) / (compact(plan) ? 5 : 2));
}

void add_metric(Openings& o, double d, int bits) {
  o.add(d * d, gram_bound(bits));
  o.add(d * d, scaled_bound(bits));
  o.add(d * d, before_bound(bits));
  o.add(d, offset_bound(bits, static_cast<std::size_t>(d)));
  o.add(2 * d, threshold_bound(bits));
}

// Adds the openings for the quadratic part (penalty.cpp).
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

void add_iterations(Openings& o, double d, int bits, const Plan& plan) {
  add_metric(o, d, bits);
  const int refreshes = std::clamp((plan.settings.max_iterations - kFirstRefresh) / refresh_length(plan, d) + 1, 0, 12);
  for (int k = 0; k < refreshes; ++k) {
    o.add(d, 2);
    o.add_inverse(d, bits, d + kMostMetric, kLeastMetric);
    add_metric(o, d, bits);
    o.add(d, solver_bound(bits));  // w in the new metric
  }
  o.add(3 * d * plan.settings.max_iterations, solver_bound(bits));
}

void add_ridge(Openings& o, double d, int bits, double least, int max_iterations) {
  o.add_inverse(d, bits, d + kRidgeMetric, std::max(least, kRidgeMetric));
  o.add(d * d, 2 * bits + 1);
  o.add(d, 2 * bits + 6);
  o.add(d * max_iterations, ridge_bound(bits, max_iterations));
}

void add_problem(Openings& o, double d, int bits, const Penalty& penalty, const Plan& plan) {
  const bool quadratic = penalty.quadratic > 0;
  if (quadratic) add_quadratic(o, d, bits, plan.settings.standardize);
  if (penalty.l1 > 0) {
    o.add(2 * d, kCompareBound);
    if (quadratic) o.add_inverse(d, bits, d + kStartMetric, kStartMetric);
    add_iterations(o, d, bits, plan);
  } else {
    const double least = plan.settings.standardize ? penalty.quadratic / (1 + penalty.quadratic) : 0;
    add_ridge(o, d, bits, least, plan.settings.max_iterations);
  }
  const double checks = plan.settings.max_iterations / kCheckEvery + 1;
  o.add(2 * checks, kLengthBound);
  o.add(checks, kCompareBound);
  o.add(2 * d, 2 * bits + 15);  // unscale
  o.add(1, kLengthBound);
  o.add(1 + 4 + 2 * d + 2, kCompareBound);                                    // fit, violations, release
  if (plan.study.precision != Precision::exact) o.add(d + 1, kCompareBound);  // exponents of the grids
  o.add(d, quadratic ? 88 : 60);                                              // means
  o.add(1, 84);                                                               // intercept
}

// Bytes of a metric (its inverse and its products), of an iteration with comparisons, and of one without.
struct Parts {
  double metric, iteration, ridge_iteration;
};

Parts parts_of(double d, ComparisonKind comparison) {
  const double pairs = d * (d + 1) / 2, elements = kOpeningBytes;
  const double gate_bytes = comparison_bytes(comparison, kCompareBound - 46, 1, true);
  const auto rounds = static_cast<double>(chebyshev_steps(d + kMostMetric, kLeastMetric).size());
  return {((2 * rounds - 1) * pairs + 3 * d * d) * elements, 2 * d * (gate_bytes + elements * 1.5) + d * elements,
          d * elements};
}

double planned_exposure(const Plan& plan, double d) {
  const int bits = plan.study.fixed_bits();
  Openings o;
  if (plan.settings.alpha == 1) o.add_inverse(d, bits, d + kStartMetric, kStartMetric);
  if (plan.study.precision != Precision::exact) {  // grids
    o.add(d, 2 * bits + 12);
    o.add(d + 1, kCompareBound);
    o.add(d + 1, 2 * bits + 2);
    o.add(d + 1, 2 * bits + 3);
  }
  for (const double lambda : plan.settings.lambdas)
    add_problem(o, d, bits, penalty_of(lambda, plan.settings.alpha), plan);
  return o.exposure();
}

std::int64_t typical_rounds(const Plan& plan) {
  const PenalisedSettings& s = plan.settings;
  const bool own_roots = s.alpha < 1 && !s.standardize;
  const int iterations = s.alpha > 0 ? (compact(plan) ? 4 : 2) * kTypicalIterations : kTypicalRidgeRounds;
  return (own_roots ? kTypicalRootRounds : 0) + (s.alpha < 1 ? kTypicalInverseRounds : 0) + iterations +
         (plan.study.precision != Precision::exact ? kGridRounds : 0);
}

std::int64_t typical_bytes(const Plan& plan, double d) {
  const Parts parts = parts_of(d, plan.settings.comparison);
  const double problem = plan.settings.alpha > 0 ? kTypicalIterations * parts.iteration + kTypicalMetrics * parts.metric
                                                 : kTypicalRidge * parts.ridge_iteration + parts.metric;
  const double grid_gates = plan.study.precision != Precision::exact ? d + 1 : 0;
  const double grid = comparison_bytes(plan.settings.comparison, kCompareBound, 1, false) * grid_gates;
  return static_cast<std::int64_t>(grid + static_cast<double>(plan.settings.lambdas.size()) * (problem + grid));
}
}  // namespace

Cost penalised_cost(const PlannedStudy& study, std::size_t attributes, const PenalisedSettings& settings) {
  const Plan plan{study, settings};
  const double d = std::max(static_cast<double>(attributes), 1.0);
  return {planned_exposure(plan, d), typical_rounds(plan), typical_bytes(plan, d)};
}

}  // namespace pgmpc
