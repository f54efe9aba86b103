// Implements the rules over single rows and the opening of the one bit.
#include "disclosure/precheck.h"

#include "base/error.h"
#include "base/mutants.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {
constexpr int kMomentLimit = 10;  // log2 of the limit of a second moment in local units

// Secret counts that must be 0 or at least min_level_count: degree 2, in whole rows. about: as in RowViolations.
struct LevelCounts {
  FpVector counts;
  std::vector<std::pair<std::size_t, std::size_t>> about;
};
LevelCounts level_counts(const Moments& moments, const std::vector<ColumnDescription>& columns) {
  const Fp rows = Fp::from_int(static_cast<std::int64_t>(moments.rows));
  const std::size_t d = columns.size();
  LevelCounts out;
  const auto add = [&](std::size_t i, std::size_t j, const Fp& count) {
    out.counts.push_back(count);
    out.counts.push_back(rows - count);
    out.about.insert(out.about.end(), 2, {i, j});
  };
  for (std::size_t i = 0; i < d; ++i) {
    if (!columns[i].binary) continue;
    add(i, i, joint_count(moments, i, i));
    for (std::size_t j = i + 1; j < d; ++j) {
      if (!columns[j].binary) continue;
      const Fp both = joint_count(moments, i, j);
      add(i, j, joint_count(moments, i, i) + joint_count(moments, j, j) - both - both);  // they differ
    }
  }
  return out;
}

// Opens a bit and throws the refusal when there is a violation.
void require_none(const Fixed& fixed, std::uint32_t iteration, Fp violation_sum, const RowRules& rules) {
  if (!no_violations(fixed, Phase::precheck, iteration, 3, violation_sum))
    throw Error(ErrorCode::refused, kRulesRefused, rules.refusal_detail, rules.refusal_hint);
}
}  // namespace

Fp joint_count(const Moments& moments, std::size_t i, std::size_t j) {
  // A 0/1 column has x_int = x * 2^24, so the moments are counts * 2^48. The field divides them exactly.
  static const Fp per_row = inverse(shifted(Fp::from_int(1), 2 * kDataBits));
  return moments.counts[triangle_index(i, j, moments.mean.size())] * per_row;
}

bool no_violations(const Fixed& fixed, Phase phase, std::uint32_t iteration, int gate, Fp violation_sum) {
  const FpVector negated = {-violation_sum};
  const std::vector<i128> zero = {0};
  const FpVector bit = at_least(fixed.session, fixed.label(phase, iteration, gate), negated, zero);
  return open_bit(fixed.session, static_cast<std::uint16_t>(phase), bit);
}

FpVector small_counts(const Fixed& fixed, const GateLabel& label, const FpVector& counts, std::int64_t least) {
  const std::vector<i128> limit = {least};
  FpVector out = at_least(fixed.session, label, counts, limit);
  for (Fp& bit : out) bit = Fp::from_int(1) - bit;
  return out;
}

RowViolations row_violations(const Fixed& fixed, const Moments& moments, const GroupSums& sums,
                             const std::vector<ColumnDescription>& columns, const RowRules& rules) {
  Session& s = fixed.session;
  const std::size_t d = columns.size();
  RowViolations out;
  const auto about = [&out](std::size_t j) { out.about.emplace_back(j, j); };
  FpVector room = dominance_room(fixed, 5, moments, sums, columns, rules);
  if (mutant(Mutant::no_dominance_rule)) room.clear();
  if (!room.empty()) {
    for (std::size_t j = 0; j < d; ++j)
      if (!columns[j].binary && rules.max_dominance < 1) about(j);
    for (const std::size_t outcome : rules.must_vary) about(outcome);
  }
  for (std::size_t i = 0; i < d; ++i) {
    room.push_back(fixed.constant(std::ldexp(1.0, kMomentLimit)) - moments.second[triangle_index(i, i, d)]);
    about(i);
  }
  const std::vector<i128> zero = {0};
  out.bits = at_least(s, fixed.label(Phase::precheck, 0, 1), room, zero);
  for (Fp& bit : out.bits) bit = Fp::from_int(1) - bit;
  // A count violates the rule between the two levels. The difference of the bits is 0 or 1 only if the second level is
  // not below the first.
  const bool off = rules.min_level_count <= 1 && !mutant(Mutant::signed_violations);
  const LevelCounts levels = off ? LevelCounts() : level_counts(moments, columns);
  if (levels.counts.empty() || mutant(Mutant::no_level_rule)) return out;
  const std::vector<i128> limits = {1, rules.min_level_count};
  const FpVector reached = at_least(s, fixed.label(Phase::precheck, 0, 2), levels.counts, limits);
  out.one_level.resize(d);
  for (std::size_t i = 0; i < levels.counts.size(); ++i) {
    out.bits.push_back(reached[2 * i] - reached[2 * i + 1]);
    const auto [first, second] = levels.about[i];
    if (first == second) out.one_level[first] += Fp::from_int(1) - reached[2 * i];
  }
  out.about.insert(out.about.end(), levels.about.begin(), levels.about.end());
  return out;
}

// Adds up whatever the rules look at, so that the one bit does not say which rule refuses (rule F25).
void precheck(const Fixed& fixed, const FpVector& violations, const RowRules& rules) {
  Fp sum;
  std::uint32_t openings = 0;
  for (const Fp& violation : violations) {
    sum += violation;
    if (mutant(Mutant::opens_each_violation)) require_none(fixed, openings++, sum, rules);
  }
  require_none(fixed, openings, sum, rules);
}

}  // namespace pgmpc
