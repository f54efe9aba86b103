// Tests the violations of the rules over rows. They are 0/1 bits whose sum is the number of violations in the clear,
// for random columns and every setting of the rules, also with a rule switched off.
#include <gtest/gtest.h>

#include <cmath>

#include "disclosure/precheck.h"
#include "support/analysis_harness.h"

namespace pgmpc {
namespace {

using test::EncodedRows;

std::vector<i128> violations_on_shares(const EncodedRows& rows, const RowRules& rules, std::uint64_t seed) {
  MpcHarness h(seed);
  std::vector<std::array<FpVector, kParties>> shares;
  for (const auto& column : rows.columns) shares.push_back(h.deal(column));
  const CancelToken cancel;
  return MpcHarness::reveal(h.run([&](Session& s) {
    const Fixed fixed{s, Fixed::bits_for(rows.columns.size(), rows.columns[0].size(), 1)};
    std::vector<FpVector> columns;
    for (const auto& column : shares) columns.push_back(column[s.self()].clone());
    const Moments moments = joined_moments(fixed, columns, cancel);
    const GroupSums sums = group_sums(columns, dominance_groups(rules.max_dominance, moments.rows), cancel);
    return row_violations(fixed, moments, sums, rows.described, rules).bits;
  }));
}

// Counts levels, and differences of two columns, that have some rows but fewer than `least`.
int level_violations(const EncodedRows& rows, std::int64_t least) {
  const auto n = static_cast<std::int64_t>(rows.columns[0].size());
  int found = 0;
  const auto count = [&](std::int64_t records) {
    for (const std::int64_t level : {records, n - records}) found += level > 0 && level < least;
  };
  for (std::size_t a = 0; a < rows.columns.size(); ++a) {
    if (!rows.described[a].binary) continue;
    count(std::count_if(rows.columns[a].begin(), rows.columns[a].end(), [](i128 x) { return x != 0; }));
    for (std::size_t b = a + 1; b < rows.columns.size(); ++b) {
      if (!rows.described[b].binary) continue;
      std::int64_t differ = 0;
      for (std::size_t r = 0; r < rows.columns[a].size(); ++r) differ += rows.columns[a][r] != rows.columns[b][r];
      count(differ);
    }
  }
  return found;
}

// Counts columns in which one record holds more than `most` of the variation. The random tables have no value near the
// limit.
int dominance_violations(const EncodedRows& rows, double most) {
  int found = 0;
  for (std::size_t j = 0; j < rows.columns.size(); ++j) {
    if (rows.described[j].binary || most >= 1) continue;
    double sum = 0, mean = 0, largest = 0;
    const auto n = static_cast<double>(rows.columns[j].size());
    for (const i128 x : rows.columns[j]) mean += static_cast<double>(x) / n;
    for (const i128 x : rows.columns[j]) {
      const double square = std::pow(static_cast<double>(x) - mean, 2);
      sum += square;
      largest = std::max(largest, square);
    }
    found += sum > 0 && largest / sum > most;
  }
  return found;
}

test::PlainTable random_table(TestRng& rng, std::vector<std::size_t>& binary) {
  const std::size_t n = 40 + rng.below(80), d = 2 + rng.below(4);
  test::PlainTable table;
  table.columns.resize(d);
  for (std::size_t j = 0; j < d; ++j) {
    const std::uint64_t kind = rng.below(6);
    if (kind < 4) binary.push_back(j);
    const std::size_t few = rng.below(13), far = rng.below(n);
    for (std::size_t r = 0; r < n; ++r) {
      const double noise = (static_cast<double>(rng.below(2001)) - 1000) / 1000;
      const double values[] = {0, 1, r < few ? 1.0 : 0.0, r < few ? 0.0 : 1.0, noise, r == far ? 50.0 : noise};
      table.columns[j].push_back(values[kind]);
    }
  }
  for (std::size_t r = 0; r < n; ++r) table.outcome.push_back(static_cast<double>(rng.below(1000)));
  return table;
}

void expect_counts(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    TestRng rng(seed);
    std::vector<std::size_t> binary;
    const EncodedRows rows = test::encode_rows(random_table(rng, binary), binary);
    for (const std::int64_t least : {0, 1, 2, 10})
      for (const double dominance : {0.5, 1.0}) {
        RowRules rules;
        rules.min_level_count = least;
        rules.max_dominance = dominance;
        SCOPED_TRACE("seed " + std::to_string(seed) + " min_level_count " + std::to_string(least));
        i128 sum = 0;
        for (const i128 violation : violations_on_shares(rows, rules, seed)) {
          EXPECT_TRUE(violation == 0 || violation == 1);
          sum += violation;
        }
        EXPECT_TRUE(sum == level_violations(rows, least) + dominance_violations(rows, dominance));
      }
  }
}

TEST(Violations, AreCounted) { expect_counts(1, 12); }

// The mutant sums 1{count >= 1} - 1{count >= 0}, as an earlier release did: minus one for each level without a row.
TEST(Violations, ARuleThatIsOffHidesNoOtherOne) {
  test::PlainTable table;
  table.columns.resize(3);
  for (std::size_t r = 0; r < 100; ++r) {
    table.columns[0].push_back(0);
    table.columns[1].push_back(0);
    table.columns[2].push_back(static_cast<double>(r % 7));
    table.outcome.push_back(r == 3 ? 1e4 : static_cast<double>(r % 5));
  }
  const EncodedRows rows = test::encode_rows(table, {0, 1});
  RowRules rules;
  rules.min_level_count = 0;
  const auto sum_of = [&] {
    i128 sum = 0;
    for (const i128 violation : violations_on_shares(rows, rules, 3)) sum += violation;
    return static_cast<int>(sum);
  };
  EXPECT_EQ(sum_of(), 1);
  const WithMutant rule(Mutant::signed_violations);
  EXPECT_LT(sum_of(), 1);
}

}  // namespace
}  // namespace pgmpc
