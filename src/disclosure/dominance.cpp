// Implements the dominance rule on shares.
#include "disclosure/dominance.h"

#include <algorithm>
#include <cmath>

namespace pgmpc {

namespace {
constexpr std::size_t kFewestGroups = 64, kMostGroups = 1024;
// Fractional bits of Q_g / 2^L and S / 2^L, and of theta^2. With S / 2^L <= 2^12: 2 * (12 + 23) + 11 < 82 bits.
constexpr int kGroupBits = 23, kThetaBits = 11;
// The outcome varies when its variance is above 2^-14 local units; below that the released scale has no precision.
constexpr int kLeastOutcomeVariance = -14;

// Returns theta^2 in units of 2^-kThetaBits, rounded towards the stricter rule.
std::int64_t scaled_theta(double max_dominance) {
  const double scaled = std::floor(std::ldexp(max_dominance * max_dominance, kThetaBits));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(scaled));
}
}  // namespace

std::size_t dominance_groups(double max_dominance, std::size_t rows) {
  const double wanted = std::ceil(16 / (max_dominance * max_dominance));
  const auto groups = static_cast<std::size_t>(std::min(wanted, static_cast<double>(kMostGroups)));
  return std::min(std::max(groups, kFewestGroups), rows);
}

int group_bits(std::size_t largest_group) { return moment_bits(largest_group) + 2; }

GroupSums group_sums(std::span<const FpVector> columns, std::size_t groups, const CancelToken& cancel) {
  const std::size_t rows = columns[0].size();
  GroupSums sums;
  sums.linear.resize(columns.size() * groups);
  sums.square.resize(columns.size() * groups);
  const auto start_of = [&](std::size_t group) { return rows / groups * group + std::min(group, rows % groups); };
  for (std::size_t g = 0; g < groups; ++g) sums.sizes.push_back(start_of(g + 1) - start_of(g));
  for (std::size_t j = 0; j < columns.size(); ++j)
    for (std::size_t g = 0; g < groups; ++g) {
      cancel.check();
      const std::span<const Fp> part(columns[j].data() + start_of(g), sums.sizes[g]);
      for (const Fp& x : part) sums.linear[j * groups + g] += x;
      sums.square[j * groups + g] = inner_product(part, part);
    }
  return sums;
}

DominanceRoom dominance_of(const Fixed& fixed, const GateLabel& label, FpVector squares,
                           const std::vector<std::size_t>& sizes, const Moments& moments, double max_dominance) {
  const std::size_t groups = sizes.size(), units = squares.size() / groups;
  for (std::size_t j = 0; j < units; ++j) {
    Fp total;
    for (std::size_t g = 0; g < groups; ++g) total += squares[j * groups + g];
    squares.push_back(total);
  }
  // |x - mean| is at most twice the largest |x|. Over all rows, the mean can only reduce the sum of squares.
  const Stretch bounds[] = {{units * groups, group_bits(sizes[0])}, {units, moment_bits(moments.rows)}};
  const Opened opened = masked_open(fixed.session, label, squares, bounds);
  const FpVector q = truncated(fixed.session, opened, 2 * kDataBits + moments.log_rows - kGroupBits);
  const Fp theta = Fp::from_int(scaled_theta(max_dominance));
  // A constant column has Q_g = S = 0 up to one unit of truncation each. The slack lets it pass: its coefficient is 0.
  const Fp slack = Fp::from_int(static_cast<std::int64_t>(groups) << kThetaBits);
  DominanceRoom out;
  for (std::size_t j = 0; j < units; ++j) {
    const Fp total = q[units * groups + j];
    out.total.push_back(total);
    if (max_dominance >= 1) continue;  // no column can break the rule
    const std::span<const Fp> of_unit(q.data() + j * groups, groups);
    out.room.push_back(theta * (total * total) - shifted(inner_product(of_unit, of_unit), kThetaBits) + slack);
  }
  return out;
}

FpVector dominance_room(const Fixed& fixed, int gate, const Moments& moments, const GroupSums& sums,
                        const std::vector<ColumnDescription>& columns, const RowRules& rules) {
  const std::size_t groups = sums.sizes.size(), d = columns.size();
  FpVector values(d * groups);
  for (std::size_t j = 0; j < d; ++j) {
    const Fp mean = moments.coarse_mean[j], square = mean * mean;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t at = j * groups + g;
      values[at] = sums.square[at] - (mean + mean) * sums.linear[at] +
                   square * Fp::from_int(static_cast<std::int64_t>(sums.sizes[g]));
    }
  }
  DominanceRoom of = dominance_of(fixed, fixed.label(Phase::precheck, 0, gate), std::move(values), sums.sizes, moments,
                                  rules.max_dominance);
  FpVector room;
  for (std::size_t j = 0; j < of.room.size(); ++j)
    if (!columns[j].binary) room.push_back(of.room[j]);
  // S / 2^L is compared with the least variance * n / 2^L.
  const double least =
      std::ldexp(static_cast<double>(moments.rows), kLeastOutcomeVariance + kGroupBits - moments.log_rows);
  for (const std::size_t outcome : rules.must_vary)
    room.push_back(of.total[outcome] - Fp::from_int(std::llround(least)));
  return room;
}

}  // namespace pgmpc
