// Computes what a describe analysis releases, on shares.
#include <cmath>

#include "analysis/describe/describe.h"
#include "analysis/describe/groups.h"
#include "analysis/describe/layout.h"
#include "analysis/describe/relations.h"
#include "base/mutants.h"
#include "disclosure/precheck.h"
#include "disclosure/precision.h"
#include "disclosure/rounding.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {

constexpr int kReciprocalBits = 40;  // fractional bits of 1 / count_step

// Powers of two from a standard error to its grid: deviations are in [2^-6, 2^11] (groups.h, algebra/standardise.h).
constexpr int kLowest = -7, kOctaves = 19;

class Description final : public Computed {
 public:
  Description(const AnalysisRun& run, const DescribeSettings& settings)
      : run_(run),
        fixed_(run.fixed),
        settings_(settings),
        two_valued_(two_valued_attributes(run.columns, run.shared.described())),
        layout_(layout_of(settings, run.columns, two_valued_)) {}

  void compute() {
    const auto counting = run_.tasks.spawn([this] { count(); });
    const auto grouping = run_.tasks.spawn([this] { compute_groups(); });
    run_.tasks.join(grouping);
    run_.tasks.join(counting);
    judge();
    const auto rounding = run_.tasks.spawn([this] { round_cells(); });
    const auto correlating = run_.tasks.spawn([this] { round_correlations(); });
    prepare_statistics();
    run_.tasks.join(rounding);
    run_.tasks.join(correlating);
  }

  Fp violations() const override { return violations_; }

  Relations release() override {
    round_statistics();
    FpVector shares = passes_.clone();
    for (const FpVector* part : {&cells_, &means_, &sds_, &correlations_})
      shares.insert(shares.end(), part->begin(), part->end());
    const std::vector<Fp> opened =
        open(fixed_.session, static_cast<std::uint16_t>(Phase::release), shares, run_.recipients);
    if (opened.empty()) return empty_descriptions();
    return describe_relations(settings_, run_.columns, layout_, numbers_of(opened),
                              static_cast<std::int64_t>(run_.shared.rows()));
  }

 private:
  std::size_t joined(std::size_t column) const { return run_.columns.attributes[column]; }

  // The number of records in a cell: degree 2.
  Fp cell_count(const DescribeCell& cell) const {
    const Moments& moments = run_.shared.moments();
    const Fp rows = Fp::from_int(static_cast<std::int64_t>(moments.rows));
    const std::size_t a = joined(cell.column);
    const Fp of_a = joint_count(moments, a, a);
    if (!cell.other) return cell.level ? of_a : rows - of_a;
    const std::size_t b = joined(*cell.other);
    const Fp of_b = joint_count(moments, b, b), both = joint_count(moments, a, b);
    if (cell.level) return cell.other_level ? both : of_a - both;
    return cell.other_level ? of_b - both : rows - of_a - of_b + both;
  }

  // Counts the cells, and finds those that are too small.
  void count() {
    FpVector wide, checked;
    std::vector<std::size_t> unit_of_checked;
    for (const DescribeCell& cell : layout_.cells) {
      wide.push_back(cell_count(cell));
      if (!layout_.units[cell.unit].small_cells) continue;
      checked.push_back(wide.back());
      unit_of_checked.push_back(cell.unit);
    }
    withholding_.resize(layout_.units.size());
    if (wide.empty()) return;
    const auto reducing = run_.tasks.spawn(
        [&] { counts_ = truncate(fixed_.session, fixed_.label(Phase::fit, 0, 1), wide, 0, kCountBits); });
    const std::int64_t least = run_.shared.row_rules().min_level_count;
    if (!checked.empty() && least > 1 && !mutant(Mutant::no_cell_rule)) {
      const FpVector bits = small_counts(fixed_, fixed_.label(Phase::validity, 0, 1), checked, least);
      for (std::size_t k = 0; k < bits.size(); ++k) withholding_[unit_of_checked[k]] += bits[k];
    }
    run_.tasks.join(reducing);
  }

  void compute_groups() {
    std::vector<std::size_t> columns;
    std::vector<RecordGroup> groups;
    for (const DescribeStatistic& statistic : layout_.statistics) {
      if (!statistic.group) continue;
      if (columns.empty() || columns.back() != joined(statistic.column)) columns.push_back(joined(statistic.column));
      if (columns.size() == 1) groups.push_back({joined(statistic.group->column), statistic.group->value});
    }
    if (!columns.empty()) groups_ = group_figures(run_, groups, columns);
  }

  // Decides which units are released. With a bit for each numeric attribute by group, a chosen column could tell the group
  // of one record; so all of them have one bit together.
  void judge() {
    const FpVector& withheld = run_.shared.withheld();
    const Standardised& standard = run_.shared.standardised();
    // A two-valued attribute with a level of too few records for a reciprocal root has no correlations.
    for (const DescribeCorrelation& pair : layout_.correlations)
      for (const std::size_t j : {pair.a, pair.b})
        if (two_valued_[j]) withholding_[pair.unit] += standard.variance_violations[joined(j)];
    Fp of_groups, of_units;
    for (const Fp& found : groups_.violations) of_groups += found;
    FpVector negated;
    for (std::size_t u = 0; u < layout_.units.size(); ++u) {
      const DescribeUnit& unit = layout_.units[u];
      Fp found = withholding_[u];
      of_units += found;
      for (const std::size_t j : unit.columns) found += withheld[joined(j)];
      if (unit.groups_of_numbers) found += of_groups;
      negated.push_back(-found);
    }
    if (settings_.refuse) violations_ += of_units + of_groups;
    for (std::size_t j = 0; j < two_valued_.size(); ++j)
      if (!two_valued_[j]) violations_ += standard.variance_violations[joined(j)];
    const std::vector<i128> zero = {0};
    passes_ = at_least(fixed_.session, fixed_.label(Phase::validity, 0, 2), negated, zero);
    if (mutant(Mutant::nothing_withheld))
      for (Fp& pass : passes_) pass = Fp::from_int(1);
  }

  void round_cells() {
    if (counts_.empty()) return;
    FpVector values;
    for (std::size_t k = 0; k < counts_.size(); ++k) values.push_back(counts_[k] * passes_[layout_.cells[k].unit]);
    const std::int64_t step = count_step(run_.precision);
    if (step == 1) {
      cells_ = truncate(fixed_.session, fixed_.label(Phase::fit, 0, 2), values, 0, kCountBits);
      return;
    }
    // The nearest multiple of the step. The error of the reciprocal is below 2^-9 steps, and a count is 1/20 of a step or
    // more away from where the rounding changes, or is there (20; upwards).
    const Fp reciprocal = Fp::from_int((std::int64_t{1} << kReciprocalBits) / step + 1);
    for (Fp& value : values) value *= reciprocal;
    cells_ = exact_truncate(fixed_.session, fixed_.label(Phase::release, 0, 1), values, kReciprocalBits,
                            kCountBits + kReciprocalBits);
  }

  void round_correlations() {
    const int exponent =
        run_.precision == Precision::exact ? -kReleaseBits : r_squared_exponent(run_.precision, run_.shared.rows());
    std::vector<const DescribeCorrelation*> measured;
    for (const DescribeCorrelation& pair : layout_.correlations)
      if (!pair.first_cell) measured.push_back(&pair);
    correlations_.resize(measured.size());
    Rounding rounding(fixed_, run_.tasks, 100, fixed_.bits, fixed_.bits + 2);
    const Matrix& correlation = run_.shared.standardised().correlation;
    for (std::size_t k = 0; k < measured.size(); ++k)
      correlation_exponent_ =
          rounding.add(correlation(joined(measured[k]->a), joined(measured[k]->b)) * passes_[measured[k]->unit],
                       exponent, &correlations_[k]);
    round_together(run_.tasks, {&rounding});
  }

  // Everything about the statistics that does not need the exponents of their grids.
  void prepare_statistics() {
    const Standardised& standard = run_.shared.standardised();
    const FpVector& means = run_.shared.means();
    FpVector deviation;
    std::size_t group = 0;
    for (const DescribeStatistic& statistic : layout_.statistics) {
      const std::size_t j = joined(statistic.column);
      const Fp& pass = passes_[statistic.unit];
      const Fp mean = statistic.group ? groups_.mean[group] : means[j];
      const Fp sd = statistic.group ? groups_.sd[group] : standard.sd[j];
      const Fp spread =
          statistic.group ? groups_.deviation[group] : sd + fixed_.one() - shifted(standard.varies[j], fixed_.bits);
      group += statistic.group ? 1 : 0;
      wide_means_.push_back(mean * pass);
      wide_sds_.push_back(sd * pass);
      // A withheld statistic has the grid of the deviation 1.
      deviation.push_back(shifted(fixed_.one(), fixed_.bits) + (spread - fixed_.one()) * shifted(pass, fixed_.bits));
    }
    if (run_.precision != Precision::exact && !deviation.empty()) exponents_ = exponents_of(deviation);
  }

  // Shares of the exponents of the grids of means, then of standard deviations, above the lowest one. deviation: degree 2,
  // 2F bits.
  FpVector exponents_of(const FpVector& deviation) {
    const FpVector reduced = truncate(fixed_.session, fixed_.label(Phase::grid, 0, 1), deviation, fixed_.bits,
                                      group_square_bound(fixed_.bits));
    const double part = error_part(run_.precision, run_.shared.rows());
    const double first = std::ldexp(1.0, std::ilogb(part) + kLowest) / part;
    // The standard error of a standard deviation is that of the mean over the root of 2, in normal data.
    std::vector<i128> edges;
    for (const double factor : {1.0, std::sqrt(2.0)})
      for (int i = 1; i <= kOctaves; ++i) edges.push_back(std::llround(std::ldexp(factor * first, fixed_.bits + i)));
    const FpVector bits = at_least(fixed_.session, fixed_.label(Phase::grid, 0, 2), reduced, edges);
    FpVector out(2 * reduced.size());
    for (std::size_t k = 0; k < reduced.size(); ++k)
      for (int i = 0; i < kOctaves; ++i) {
        const std::size_t at = k * edges.size() + static_cast<std::size_t>(i);
        out[k] += bits[at];
        out[reduced.size() + k] += bits[at + kOctaves];
      }
    return out;
  }

  void round_statistics() {
    const std::size_t count = layout_.statistics.size();
    means_.resize(count);
    sds_.resize(count);
    if (count == 0) return;
    std::vector<int> exponents(2 * count, -kReleaseBits);
    if (!exponents_.empty()) {
      const int lowest = std::ilogb(error_part(run_.precision, run_.shared.rows())) + kLowest;
      exponents = open_exponents(fixed_, exponents_, lowest, {lowest, lowest + kOctaves});
    }
    Rounding means(fixed_, run_.tasks, 200, kMeanBits, kMeanBound),
        sds(fixed_, run_.tasks, 300, fixed_.bits, fixed_.bits + 8);
    for (std::size_t k = 0; k < count; ++k) {
      mean_exponent_.push_back(means.add(wide_means_[k], exponents[k], &means_[k]));
      sd_exponent_.push_back(sds.add(wide_sds_[k], exponents[count + k], &sds_[k]));
    }
    round_together(run_.tasks, {&means, &sds});
  }

  DescribeNumbers numbers_of(const std::vector<Fp>& opened) const {
    DescribeNumbers out;
    std::size_t at = 0;
    const auto next = [&] { return static_cast<double>(opened[at++].to_signed()); };
    for (std::size_t u = 0; u < layout_.units.size(); ++u) out.released.push_back(opened[at++] == Fp::from_int(1));
    for (std::size_t k = 0; k < layout_.cells.size(); ++k)
      out.cells.push_back(static_cast<std::int64_t>(next()) * count_step(run_.precision));
    const auto rounded = [&](int exponent, int unit) {
      return Rounded{std::ldexp(next(), unit - kReleaseBits), std::ldexp(1.0, exponent + unit)};
    };
    const auto exponent_of = [&](std::size_t k) {
      return run_.shared.described()[joined(layout_.statistics[k].column)].exponent;
    };
    for (std::size_t k = 0; k < layout_.statistics.size(); ++k)
      out.means.push_back(rounded(mean_exponent_[k], exponent_of(k)));
    for (std::size_t k = 0; k < layout_.statistics.size(); ++k)
      out.sds.push_back(rounded(sd_exponent_[k], exponent_of(k)));
    for (const DescribeCorrelation& pair : layout_.correlations)
      out.correlations.push_back(pair.first_cell ? Rounded() : rounded(correlation_exponent_, 0));
    return out;
  }

  const AnalysisRun& run_;
  const Fixed& fixed_;
  const DescribeSettings& settings_;
  std::vector<bool> two_valued_;
  DescribeLayout layout_;
  FpVector counts_;       // of cells: degree 1, whole rows
  FpVector withholding_;  // of units: number of cells that are too small, and of missing roots
  GroupFigures groups_;
  FpVector passes_;  // of units: 1 if released
  Fp violations_;    // those that refuse the study
  FpVector wide_means_, wide_sds_, exponents_;
  std::vector<int> mean_exponent_, sd_exponent_;
  int correlation_exponent_ = 0;
  FpVector cells_, means_, sds_, correlations_;  // rounded
};

}  // namespace

std::unique_ptr<Computed> compute_describe(const AnalysisRun& run, const DescribeSettings& settings) {
  auto description = std::make_unique<Description>(run, settings);
  description->compute();
  return description;
}

}  // namespace pgmpc
