// Implements the cost of the shared part of step 8 and the sum of exposures. The openings mirror those of the gates.
#include "analysis/cost.h"

#include <algorithm>
#include <cmath>

#include "algebra/fixed.h"
#include "algebra/inverse.h"
#include "algebra/matrix.h"
#include "algebra/standardise.h"
#include "disclosure/dominance.h"
#include "disclosure/joint_design.h"
#include "mpc/comparison.h"
#include "mpc/threshold.h"

namespace pgmpc {
namespace {

constexpr int kTypicalEdges = 20;  // powers of two that each variance is compared with
// Measured (docs/design/lasso.md, "Cost"). Comparisons with truth tables take more rounds than those with keys.
constexpr int kTypicalRounds = 24, kMoreCompactRounds = 12;

void add_setup(Openings& o, const PlannedStudy& study, int bits) {
  const auto columns = static_cast<double>(study.columns());
  const std::size_t rows = std::max<std::size_t>(study.rows, 1),
                    groups = dominance_groups(study.rules.max_dominance, rows);
  const double pairs = columns * (columns + 1) / 2;
  o.add(pairs, moment_bits(rows));
  o.add(columns, mean_bound(static_cast<int>(std::ceil(std::log2(rows)))));
  o.add(columns * static_cast<double>(groups), group_bits((rows + groups - 1) / groups));
  o.add(columns, moment_bits(rows));
  o.add(2 * columns + 2 * pairs + 2, kCompareBound);  // precheck, if every column holds 0 and 1
  o.add(pairs, 2 * bits + 13);
  o.add(pairs, 2 * kStepBits + 13);  // every column two-valued: step products, means, values in local units
  o.add(columns, bits + kStepBits + 8);
  o.add(columns, bits + kStepBits + 7);
  o.add(pairs, bits + kStepBits + 11);
  o.add(columns, bits + kStepBits + 12);
  o.add(16 * columns, kCompareBound);  // spline and its corrections
  o.add(pairs, 2 * bits + 13);
  o.add(pairs, 2 * bits + 3);
  o.add(pairs, 2 * bits + 1);
}

// Adds the openings of the rules over the joint design (disclosure/joint_design.h).
void add_design(Openings& o, const PlannedStudy& study, double d, int bits) {
  const RowRules& rules = study.rules;
  if (!checks_design(rules)) return;
  const double pairs = d * (d + 1) / 2;
  const auto attributes = static_cast<std::size_t>(d);
  const double shift = design_shift(attributes, rules.max_vif), most = approximate_most(attributes) + shift;
  const int scale = design_scale(attributes, rules.max_vif);
  o.add(pairs, std::max(bits + static_cast<int>(std::ceil(std::log2(most))) + 1, 30 + scale));
  for (const ChebyshevStep& doubling : chebyshev_steps(most, shift)) {
    o.add(pairs, grown_bound(bits, doubling, scale));
    o.add(pairs, 2 * bits + 1);
  }
  o.add(d, kCompareBound);
  if (!checks_leverage(rules)) return;
  const std::size_t rows = std::max<std::size_t>(study.rows, 1), stretches = design_stretches(attributes, rows);
  o.add(pairs * static_cast<double>(stretches), stretch_bound((rows + stretches - 1) / stretches));
  o.add(pairs, weight_bound(bits));
  o.add(static_cast<double>(stretches), kTraceBound);
  o.add(static_cast<double>(stretches) + 1, kCompareBound);
}

// Bytes of the inverse, weights, traces and comparisons of the design. They share the rounds of the first iterations.
double design_bytes(const PlannedStudy& study, double d) {
  const RowRules& rules = study.rules;
  if (!checks_design(rules)) return 0;
  const double pairs = d * (d + 1) / 2;
  const auto attributes = static_cast<std::size_t>(d);
  const double shift = design_shift(attributes, rules.max_vif),
               gate = comparison_bytes(study.comparison, kCompareBound, 1, false);
  const double steps = static_cast<double>(chebyshev_steps(approximate_most(attributes) + shift, shift).size());
  double bytes = 2 * steps * pairs * kOpeningBytes + (rules.max_vif > 0 ? d * gate : 0);
  if (!checks_leverage(rules)) return bytes;
  const double stretches = static_cast<double>(design_stretches(attributes, std::max<std::size_t>(study.rows, 1)));
  return bytes + (pairs * (stretches + 1) + stretches) * kOpeningBytes + (stretches + 1) * gate;
}
}  // namespace

int PlannedStudy::fixed_bits() const { return Fixed::bits_for(columns(), rows, problems); }

void Openings::add(double count, int bound) { exposure_ += count * std::ldexp(1.0, bound + 1 - kMaskBits); }

void Openings::add_inverse(double d, int fixed_bits, double most, double least) {
  const double pairs = d * (d + 1) / 2;
  add(pairs, fixed_bits + static_cast<int>(std::ceil(std::log2(most))) + 1);
  for (const ChebyshevStep& doubling : chebyshev_steps(most, least)) {
    add(pairs, grown_bound(fixed_bits, doubling));
    add(pairs, 2 * fixed_bits + 1);
  }
}

Cost shared_cost(const PlannedStudy& study) {
  const int bits = study.fixed_bits();
  const auto columns = static_cast<double>(study.columns()), d = std::max(static_cast<double>(study.attributes), 1.0);
  const double pairs = d * (d + 1) / 2;
  Openings o;
  add_setup(o, study, bits);
  add_design(o, study, d, bits);
  o.add(pairs, 2 * bits + 13);  // approximate correlations
  o.add(pairs, 2 * bits + 3);
  o.add(1, kCompareBound);  // validity
  const double groups =
      static_cast<double>(dominance_groups(study.rules.max_dominance, std::max<std::size_t>(study.rows, 1)));
  const double bytes = (6 * pairs + columns * groups) * kOpeningBytes +
                       columns * comparison_bytes(study.comparison, kCompareBound, kTypicalEdges, false) +
                       design_bytes(study, d);
  const bool compact = study.comparison == ComparisonKind::compact;
  return {o.exposure(), kTypicalRounds + (compact ? kMoreCompactRounds : 0), static_cast<std::int64_t>(bytes)};
}

}  // namespace pgmpc
