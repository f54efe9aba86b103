// Implements the cost of a describe analysis: what it opens and sends (analysis/cost.h).
#include <algorithm>
#include <cmath>
#include <set>

#include "algebra/standardise.h"
#include "analysis/describe/describe.h"
#include "analysis/describe/groups.h"
#include "analysis/describe/layout.h"
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

// What is computed, as numbers of values. Every attribute without levels counts as numeric and as two-valued.
struct Sizes {
  double columns = 0, units = 0;
  double cells = 0, correlation_cells = 0, small_cells = 0;
  double statistics = 0, pairs = 0;            // pairs: correlations
  double by_group = 0, groups = 0, flags = 0;  // attributes by group, groups, columns that form them
};

Sizes sizes_of(const AnalysisColumns& columns, const DescribeSettings& settings) {
  const std::size_t count = columns.names.size();
  const DescribeLayout numeric = layout_of(settings, columns, std::vector<bool>(count)),
                       two_valued = layout_of(settings, columns, std::vector<bool>(count, true));
  Sizes out;
  out.columns = static_cast<double>(count);
  out.units = static_cast<double>(numeric.units.size());
  for (const DescribeCell& cell : two_valued.cells) {
    (cell.of_correlation ? out.correlation_cells : out.cells) += 1;
    if (two_valued.units[cell.unit].small_cells) out.small_cells += 1;
  }
  out.statistics = static_cast<double>(numeric.statistics.size());
  std::set<std::size_t> by_group, flags;
  double units = 0;
  for (const DescribeStatistic& statistic : numeric.statistics) {
    if (!statistic.group) continue;
    by_group.insert(statistic.column);
    flags.insert(statistic.group->column);
    units += 1;
  }
  out.by_group = static_cast<double>(by_group.size());
  out.flags = static_cast<double>(flags.size());
  out.groups = by_group.empty() ? 0 : units / out.by_group;
  out.pairs = static_cast<double>(numeric.correlations.size());
  return out;
}

std::size_t rows_of(const PlannedStudy& study) { return std::max<std::size_t>(study.rows, 1); }

// The openings of groups.cpp and of the squares of the records.
void add_groups(Openings& o, const PlannedStudy& study, const Sizes& sizes) {
  const double columns = sizes.by_group, flags = sizes.flags;
  if (columns == 0) return;
  const int bits = study.fixed_bits();
  const std::size_t rows = rows_of(study), stretches = dominance_groups(study.rules.max_dominance, rows);
  const std::size_t largest = (rows + stretches - 1) / stretches;
  const double units = sizes.groups * columns, sums = static_cast<double>(stretches);
  o.add(static_cast<double>(rows) * columns, kSquareBound);
  o.add(kRootOpenings * (sizes.groups + units), kCompareBound);
  o.add(sizes.groups, reciprocal_bound(bits));
  o.add(columns * flags, moment_bits(rows));
  o.add((2 * flags + 1) * columns + 3 * units, group_square_bound(bits));
  o.add(units, group_mean_bound(bits));
  o.add(2 * units, kCompareBound);  // standard deviations, dominance
  o.add(columns * flags * sums, stretch_sum_bound(largest));
  o.add(units, kSquareBound);
  o.add(units * sums, group_bits(largest));
  o.add(units, moment_bits(rows));
}

double bytes_of(const PlannedStudy& study, const Sizes& sizes) {
  const double gate = comparison_bytes(study.comparison, kCompareBound, 1, false);
  double bytes =
      (sizes.small_cells + sizes.units + sizes.cells + 2 * sizes.statistics + sizes.pairs) * (gate + kOpeningBytes);
  if (sizes.by_group > 0) {
    const double units = sizes.groups * sizes.by_group;
    const auto stretches = static_cast<double>(dominance_groups(study.rules.max_dominance, rows_of(study)));
    bytes += (static_cast<double>(rows_of(study)) * sizes.by_group + units * (20 + 1.5 * stretches)) * kOpeningBytes +
             2 * units * gate;
  }
  return bytes;
}

}  // namespace

Cost describe_cost(const PlannedStudy& study, const AnalysisColumns& columns, const DescribeSettings& settings) {
  const Sizes sizes = sizes_of(columns, settings);
  const double most_cells = sizes.cells + sizes.correlation_cells;
  const int bits = study.fixed_bits();
  Openings o;
  o.add(sizes.columns, kCompareBound);  // which columns are withheld, and left out of the joint design
  o.add(sizes.columns, bits + 7);
  o.add(2 * most_cells, kCountBits);
  o.add(most_cells, kCompareBound);  // rounded counts
  o.add(sizes.small_cells + sizes.units, kCompareBound);
  o.add(sizes.pairs, bits + 2);
  o.add(sizes.statistics, kMeanBound);
  o.add(sizes.statistics, bits + 8);
  const bool grids = study.precision != Precision::exact;
  if (grids) {
    o.add(sizes.statistics, group_square_bound(bits));
    o.add(sizes.statistics, kCompareBound);
  }
  add_groups(o, study, sizes);
  const bool design = checks_design(study.rules);
  const int by_group = design ? kGroupRoundsBesideDesign : kGroupRounds;
  const int rounds = (grids ? kGridRounds : 0) + (design ? kDesignRounds : 0) + (settings.by ? by_group : 0);
  return {o.exposure(), rounds, static_cast<std::int64_t>(bytes_of(study, sizes))};
}

}  // namespace pgmpc
