// Implements means and standard deviations by group.
#include "analysis/describe/groups.h"

#include <algorithm>
#include <cmath>

#include "base/mutants.h"
#include "disclosure/dominance.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {

constexpr std::uint32_t kRootsOfParts = 1, kRootsOfVariances = 2;

class Groups {
 public:
  Groups(const AnalysisRun& run, const std::vector<RecordGroup>& groups, const std::vector<std::size_t>& columns)
      : run_(run), fixed_(run.fixed), moments_(run.shared.moments()), groups_(groups), columns_(columns) {
    // Both values of a column follow from the sums over the higher one.
    for (const RecordGroup& group : groups_)
      if (std::find(flags_.begin(), flags_.end(), group.column) == flags_.end()) flags_.push_back(group.column);
  }

  GroupFigures compute() {
    const auto dividing = run_.tasks.spawn([this] { reciprocals(); });
    const auto averaging = run_.tasks.spawn([this] { means_over_all(); });
    const auto reducing = run_.tasks.spawn([this] { reduce_stretch_sums(); });
    run_.tasks.join(dividing);
    run_.tasks.join(averaging);
    means_of_groups();
    const auto checking = run_.tasks.spawn([this, &reducing] {
      run_.tasks.join(reducing);
      check_dominance();
    });
    deviations();
    run_.tasks.join(checking);
    return std::move(out_);
  }

 private:
  GateLabel label(int gate) const { return fixed_.label(Phase::fit, 0, gate); }

  FpVector product(const FpVector& values, int gate, int shift, int bound) const {
    return truncate(fixed_.session, label(gate), values, shift, bound);
  }

  // 1/p and 1/sqrt(p) of the groups. A group with p below 2^-12 is a violation. That an empty one is keeps the mean that
  // the owner added from being opened by itself.
  void reciprocals() {
    FpVector part;
    for (const RecordGroup& group : groups_) {
      const Fp& mean = moments_.mean[group.column];
      part.push_back(group.high ? mean : fixed_.one() - mean);
    }
    InverseRoots roots = inverse_roots(fixed_, kRootsOfParts, part);
    FpVector squares;
    for (const Fp& root : roots.inverse_root) squares.push_back(root * root);
    reciprocal_ = product(squares, 10, fixed_.bits, reciprocal_bound(fixed_.bits));
    root_ = std::move(roots.inverse_root);
    for (const Fp& varies : roots.varies) too_small_.push_back(Fp::from_int(1) - varies);
  }

  // E[g x] and E[g x^2] of the groups, F bits.
  void means_over_all() {
    const std::size_t d = moments_.mean.size();
    const Fp factor = fixed_.constant(std::ldexp(1.0, moments_.log_rows) / static_cast<double>(moments_.rows));
    FpVector sums;
    for (const std::size_t x : columns_)
      for (const std::size_t flag : flags_) {
        Fp sum;
        for (const Fp& of_stretch : sums_of(flag, x).square) sum += of_stretch;
        sums.push_back(sum);
      }
    const FpVector squares =
        product(sums, 11, 2 * kDataBits + moments_.log_rows - fixed_.bits, moment_bits(moments_.rows));
    FpVector values;
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      for (std::size_t f = 0; f < flags_.size(); ++f) {
        values.push_back(moments_.second[triangle_index(flags_[f], columns_[k], d)] * factor);
        values.push_back(squares[k * flags_.size() + f] * factor);
      }
      values.push_back(moments_.second[triangle_index(columns_[k], columns_[k], d)] * factor);
    }
    const FpVector means = product(values, 12, fixed_.bits, group_square_bound(fixed_.bits));
    const std::size_t each = 2 * flags_.size() + 1;  // values of a column
    for (std::size_t k = 0; k < columns_.size(); ++k)
      for (const RecordGroup& group : groups_) {
        const std::size_t at = k * each + 2 * flag_of(group);
        linear_.push_back(group.high ? means[at] : moments_.mean[columns_[k]] - means[at]);
        square_.push_back(group.high ? means[at + 1] : means[(k + 1) * each - 1] - means[at + 1]);
      }
  }

  void means_of_groups() {
    const std::size_t levels = groups_.size(), units = levels * columns_.size();
    FpVector values;
    for (std::size_t u = 0; u < units; ++u) values.push_back(linear_[u] * reciprocal_[u % levels]);
    for (std::size_t u = 0; u < units; ++u) values.push_back(square_[u] * reciprocal_[u % levels]);
    const Stretch bounds[] = {{units, group_mean_bound(fixed_.bits)}, {units, group_square_bound(fixed_.bits)}};
    const Opened opened = masked_open(fixed_.session, label(13), values, bounds);
    mean_ = truncated(fixed_.session, opened, fixed_.bits, 0, units);
    coarse_mean_ = truncated(fixed_.session, opened, 2 * fixed_.bits - kDataBits, 0, units);
    mean_square_ = truncated(fixed_.session, opened, fixed_.bits, units, units);
    for (std::size_t u = 0; u < units; ++u) {
      const std::size_t x = columns_[u / levels];
      out_.mean.push_back(run_.shared.means()[x] + shifted(mean_[u] - moments_.mean[x], kMeanBits - fixed_.bits));
      out_.violations.push_back(too_small_[u % levels]);
    }
  }

  void deviations() {
    const std::size_t units = mean_.size();
    FpVector values;
    for (std::size_t u = 0; u < units; ++u)
      values.push_back(shifted(mean_square_[u], fixed_.bits) - mean_[u] * mean_[u]);
    const FpVector variance = product(values, 14, fixed_.bits, group_square_bound(fixed_.bits));
    const InverseRoots roots = inverse_roots(fixed_, kRootsOfVariances, variance);
    for (std::size_t u = 0; u < units; ++u) values[u] = variance[u] * roots.inverse_root[u];
    out_.sd = product(values, 15, fixed_.bits, kCompareBound);
    // A group without variance has the deviation of one with variance 1, so that the grid does not show it.
    for (std::size_t u = 0; u < units; ++u)
      values[u] = (out_.sd[u] + fixed_.one() - shifted(roots.varies[u], fixed_.bits)) * root_[u % groups_.size()];
    out_.deviation = product(values, 16, fixed_.bits, group_square_bound(fixed_.bits));
    for (std::size_t u = 0; u < units; ++u) out_.violations[u] += roots.between[u] + roots.above[u];
  }

  std::size_t flag_of(const RecordGroup& group) const {
    return static_cast<std::size_t>(std::find(flags_.begin(), flags_.end(), group.column) - flags_.begin());
  }
  const LevelSums& sums_of(std::size_t flag, std::size_t x) const { return run_.shared.grouped().at({flag, x}); }

  // Brings sum g x of every stretch to degree 1.
  void reduce_stretch_sums() {
    FpVector values;
    for (const std::size_t x : columns_)
      for (const std::size_t flag : flags_)
        values.insert(values.end(), sums_of(flag, x).linear.begin(), sums_of(flag, x).linear.end());
    stretch_linear_ = product(values, 17, 0, stretch_sum_bound(run_.shared.stretches().sizes[0]));
  }

  // The dominance rule over the records of each group (disclosure/dominance.h), with distances from the group's mean.
  void check_dominance() {
    const RowRules& rules = run_.shared.row_rules();
    if (rules.max_dominance >= 1 || mutant(Mutant::no_dominance_rule)) return;
    const GroupSums& all = run_.shared.stretches();
    const std::size_t stretches = all.sizes.size(), units = coarse_mean_.size();
    FpVector mean_squared;
    for (const Fp& mean : coarse_mean_) mean_squared.push_back(mean * mean);
    mean_squared = product(mean_squared, 18, 0, kSquareBound);
    FpVector squares;
    for (std::size_t u = 0; u < units; ++u) {
      const std::size_t k = u / groups_.size(), x = columns_[k];
      const RecordGroup& group = groups_[u % groups_.size()];
      const LevelSums& of = sums_of(group.column, x);
      const std::size_t first = (k * flags_.size() + flag_of(group)) * stretches;
      for (std::size_t g = 0; g < stretches; ++g) {
        Fp count = of.count[g], linear = stretch_linear_[first + g], square = of.square[g];
        if (!group.high) {  // what remains of all rows
          count = Fp::from_int(static_cast<std::int64_t>(all.sizes[g])) - count;
          linear = all.linear[x * stretches + g] - linear;
          square = all.square[x * stretches + g] - square;
        }
        squares.push_back(square - (coarse_mean_[u] + coarse_mean_[u]) * linear + mean_squared[u] * count);
      }
    }
    const DominanceRoom found = dominance_of(fixed_, fixed_.label(Phase::precheck, 0, 1), std::move(squares), all.sizes,
                                             moments_, rules.max_dominance);
    const std::vector<i128> zero = {0};
    const FpVector passes = at_least(fixed_.session, fixed_.label(Phase::precheck, 0, 2), found.room, zero);
    for (std::size_t u = 0; u < units; ++u) out_.violations[u] += Fp::from_int(1) - passes[u];
  }

  const AnalysisRun& run_;
  const Fixed& fixed_;
  const Moments& moments_;
  const std::vector<RecordGroup>& groups_;
  const std::vector<std::size_t>& columns_;
  std::vector<std::size_t> flags_;          // the columns of the groups
  FpVector reciprocal_, root_, too_small_;  // of groups
  FpVector linear_, square_;                // E[g x], E[g x^2] of units, F bits
  FpVector mean_, mean_square_;             // of units, F bits
  FpVector coarse_mean_;                    // kDataBits
  FpVector stretch_linear_;                 // of the flags, column by column
  GroupFigures out_;
};

}  // namespace

int stretch_sum_bound(std::size_t largest_stretch) {
  return 31 + static_cast<int>(std::ceil(std::log2(static_cast<double>(largest_stretch) + 1)));
}

GroupFigures group_figures(const AnalysisRun& run, const std::vector<RecordGroup>& groups,
                           const std::vector<std::size_t>& columns) {
  return Groups(run, groups, columns).compute();
}

}  // namespace pgmpc
