// Implements the rules over single rows and the opening of the one bit.
#include "disclosure/precheck.h"

#include "base/error.h"
#include "base/mutants.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {
constexpr int kMomentLimit = 10;  // log2 of the limit of a second moment in local units

std::size_t index_of(std::size_t i, std::size_t j, std::size_t size) { return i * size - i * (i + 1) / 2 + j; }

// Returns secret counts that must be 0 or at least min_level_count. Degree 2, in whole rows.
FpVector level_counts(const Moments& moments, const std::vector<ColumnDescription>& columns) {
  // A 0/1 column has x_int = x * 2^24, so the moments are counts * 2^48. The field divides them exactly.
  const Fp per_row = inverse(shifted(Fp::from_int(1), 2 * kDataBits));
  const Fp rows = Fp::from_int(static_cast<std::int64_t>(moments.rows));
  const std::size_t d = columns.size();
  auto count = [&](std::size_t i, std::size_t j) { return moments.counts[index_of(i, j, d)] * per_row; };
  FpVector out;
  for (std::size_t i = 0; i < d; ++i) {
    if (!columns[i].binary) continue;
    out.push_back(count(i, i));
    out.push_back(rows - count(i, i));
    for (std::size_t j = i + 1; j < d; ++j) {
      if (!columns[j].binary) continue;
      const Fp differ = count(i, i) + count(j, j) - count(i, j) - count(i, j);
      out.push_back(differ);
      out.push_back(rows - differ);
    }
  }
  return out;
}
}  // namespace

bool no_violations(const Fixed& fixed, Phase phase, std::uint32_t iteration, int gate, Fp violation_sum) {
  const FpVector negated = {-violation_sum};
  const std::vector<i128> zero = {0};
  const FpVector bit = at_least(fixed.session, fixed.label(phase, iteration, gate), negated, zero);
  return open_bit(fixed.session, static_cast<std::uint16_t>(phase), bit);
}

FpVector row_violations(const Fixed& fixed, const Moments& moments, const GroupSums& sums,
                        const std::vector<ColumnDescription>& columns, const RowRules& rules) {
  Session& s = fixed.session;
  const std::size_t d = columns.size();
  FpVector room = dominance_room(fixed, 5, moments, sums, columns, rules);
  if (mutant(Mutant::no_dominance_rule)) room.clear();
  for (std::size_t i = 0; i < d; ++i)
    room.push_back(fixed.constant(std::ldexp(1.0, kMomentLimit)) - moments.second[index_of(i, i, d)]);
  const std::vector<i128> zero = {0}, levels = {1, rules.min_level_count};
  FpVector violations = at_least(s, fixed.label(Phase::precheck, 0, 1), room, zero);
  for (Fp& bit : violations) bit = Fp::from_int(1) - bit;
  // A count violates the rule between the two levels. The difference of the bits is 0 or 1 only if the second level is
  // not below the first.
  const bool off = rules.min_level_count <= 1 && !mutant(Mutant::signed_violations);
  const FpVector counts = off ? FpVector() : level_counts(moments, columns);
  if (counts.empty() || mutant(Mutant::no_level_rule)) return violations;
  const FpVector bits = at_least(s, fixed.label(Phase::precheck, 0, 2), counts, levels);
  for (std::size_t i = 0; i < counts.size(); ++i) violations.push_back(bits[2 * i] - bits[2 * i + 1]);
  return violations;
}

void precheck(const Fixed& fixed, const FpVector& violations, const RowRules& rules) {
  Fp faults;
  for (const Fp& violation : violations) faults += violation;
  if (!no_violations(fixed, Phase::precheck, 0, 3, faults))
    throw Error(ErrorCode::refused, kRulesRefused, rules.refusal_detail, rules.refusal_hint);
}

}  // namespace pgmpc
