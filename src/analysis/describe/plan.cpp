// Implements the cost of a describe analysis: what it opens and sends (analysis/cost.h).
#include <algorithm>
#include <cmath>

#include "algebra/standardise.h"
#include "analysis/describe/describe.h"
#include "analysis/describe/groups.h"
#include "disclosure/dominance.h"
#include "disclosure/grouped_sums.h"
#include "disclosure/joint_design.h"
#include "mpc/comparison.h"
#include "mpc/threshold.h"

namespace pgmpc {

namespace {

// Measured (docs/design/describe.md, "Cost"): rounds beyond those of the shared figures.
constexpr int kGridRounds = 2, kGroupRounds = 16;
// The rules over the joint design take longer than the figures, and the release waits for them. Models hide that behind
// their iterations.
constexpr int kDesignRounds = 18, kGroupRoundsBesideDesign = 1;
constexpr int kRootOpenings = 17;  // of one value: spline and its corrections

// What is computed, as numbers of values. Every attribute counts as numeric and as two-valued.
struct Sizes {
  double attributes, tables, groups, pairs;  // groups: attributes by group; pairs: correlations

  double cells() const { return 2 * attributes + 4 * (tables + groups); }
  double most_cells() const { return cells() + 4 * pairs; }  // if all attributes are two-valued
  double small_cells() const { return 4 * (tables + groups + pairs); }
  double units() const { return attributes + tables + groups + pairs; }
  double statistics() const { return attributes + 2 * groups; }
};

Sizes sizes_of(std::size_t attributes, const DescribeSettings& settings) {
  const auto d = static_cast<double>(attributes);
  return {d, static_cast<double>(settings.tables.size()), settings.by ? d : 0,
          settings.correlation ? d * (d - 1) / 2 : 0};
}

std::size_t rows_of(const PlannedStudy& study) { return std::max<std::size_t>(study.rows, 1); }

// The openings of groups.cpp and of the squares of the records.
void add_groups(Openings& o, const PlannedStudy& study, double columns) {
  if (columns == 0) return;
  const int bits = study.fixed_bits();
  const std::size_t rows = rows_of(study), stretches = dominance_groups(study.rules.max_dominance, rows);
  const std::size_t largest = (rows + stretches - 1) / stretches;
  const double units = 2 * columns, sums = static_cast<double>(stretches);
  o.add(static_cast<double>(rows) * columns, kSquareBound);
  o.add(kRootOpenings * (2 + units), kCompareBound);
  o.add(2, reciprocal_bound(bits));
  o.add(columns, moment_bits(rows));
  o.add(3 * columns + 3 * units, group_square_bound(bits));
  o.add(units, group_mean_bound(bits));
  o.add(2 * units, kCompareBound);  // standard deviations, dominance
  o.add(columns * sums, stretch_sum_bound(largest));
  o.add(units, kSquareBound);
  o.add(units * sums, group_bits(largest));
  o.add(units, moment_bits(rows));
}

double bytes_of(const PlannedStudy& study, const Sizes& sizes) {
  const double gate = comparison_bytes(study.comparison, kCompareBound, 1, false);
  double bytes = (sizes.small_cells() + sizes.units() + sizes.cells() + 2 * sizes.statistics() + sizes.pairs) *
                 (gate + kOpeningBytes);
  if (sizes.groups > 0) {
    const double units = 2 * sizes.groups;
    const auto stretches = static_cast<double>(dominance_groups(study.rules.max_dominance, rows_of(study)));
    bytes += (static_cast<double>(rows_of(study)) * sizes.groups + units * (20 + 1.5 * stretches)) * kOpeningBytes +
             2 * units * gate;
  }
  return bytes;
}

}  // namespace

Cost describe_cost(const PlannedStudy& study, std::size_t attributes, const DescribeSettings& settings) {
  const Sizes sizes = sizes_of(attributes, settings);
  const int bits = study.fixed_bits();
  Openings o;
  o.add(sizes.attributes, kCompareBound);  // which columns are withheld, and left out of the joint design
  o.add(sizes.attributes, bits + 7);
  o.add(2 * sizes.most_cells(), kCountBits);
  o.add(sizes.most_cells(), kCompareBound);  // rounded counts
  o.add(sizes.small_cells() + sizes.units(), kCompareBound);
  o.add(sizes.pairs, bits + 2);
  o.add(sizes.statistics(), kMeanBound);
  o.add(sizes.statistics(), bits + 8);
  const bool grids = study.precision != Precision::exact;
  if (grids) {
    o.add(sizes.statistics(), group_square_bound(bits));
    o.add(sizes.statistics(), kCompareBound);
  }
  add_groups(o, study, sizes.groups);
  const bool design = checks_design(study.rules);
  const int by_group = design ? kGroupRoundsBesideDesign : kGroupRounds;
  const int rounds = (grids ? kGridRounds : 0) + (design ? kDesignRounds : 0) + (settings.by ? by_group : 0);
  return {o.exposure(), rounds, static_cast<std::int64_t>(bytes_of(study, sizes))};
}

}  // namespace pgmpc
