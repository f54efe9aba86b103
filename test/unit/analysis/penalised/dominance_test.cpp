// Tests the disclosure rules over joined rows, on shares. Attack data sets are refused and ordinary ones pass. Each
// refusal is due to one rule: without it the attack goes through.
#include "disclosure/dominance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/analysis_harness.h"
#include "support/disclosure_data.h"
#include "support/lasso_vectors.h"
#include "support/penalised_request.h"

namespace pgmpc {
namespace {

using test::DisclosureData;
using test::EncodedRows;

// Returns "released" or the message of the refusal. The lambda is large to save iterations; the rules do not depend on
// it.
std::string outcome_of(const EncodedRows& rows, const RowRules& rules = {}) {
  const auto outcome = test::attempt_rows(rows, {{1000.0}, true, 400, rules, 7});
  EXPECT_LE(
      outcome.transcript.exposure,
      planned_exposure({rows.columns.size(), rows.columns[0].size(), {1000.0}, 1, true, 400, rules.max_dominance}));
  if (outcome.error) return outcome.error->message();
  return outcome.models[0].received ? "released" : "not received";
}

std::string outcome_of(const DisclosureData& data, const RowRules& rules = {}) {
  return outcome_of(test::encode_rows(data.table, data.binary), rules);
}

// Returns max z^2 / sum z^2 in the clear, z being the distance from the mean.
double dominance(const std::vector<double>& column) {
  double mean = 0, sum = 0, largest = 0;
  for (double x : column) mean += x / static_cast<double>(column.size());
  for (double x : column) {
    sum += (x - mean) * (x - mean);
    largest = std::max(largest, (x - mean) * (x - mean));
  }
  return sum > 0 ? largest / sum : 0;
}

TEST(Disclosure, AttackDataSetsAreRefusedWithOneText) {
  for (const auto& make : {test::pair_of_groups, test::one_person_flag, test::everybody_else, test::outlier_outcome,
                           test::constant_outcome})
    EXPECT_EQ(outcome_of(make()), kRulesRefused) << make().name;
}

TEST(Disclosure, OrdinaryDataSetsPass) {
  EXPECT_EQ(outcome_of(test::common_flag()), "released");
  EXPECT_EQ(outcome_of(test::heavy_tails()), "released");
  for (const std::string& name : test::lasso_vector_names())
    EXPECT_EQ(outcome_of(test::encode_rows(test::load_lasso_vector(name).table)), "released") << name;
}

// Columns such as laboratory values, whose logarithm has standard deviation 1.
TEST(Disclosure, LognormalColumnsPass) {
  for (std::uint64_t seed = 20; seed < 24; ++seed) {
    DisclosureData data{"lognormal", test::hospital_days(seed, 1000), {}, 0, false, false};
    for (auto& column : data.table.columns)
      for (double& x : column) x = std::exp(x);
    EXPECT_EQ(outcome_of(data), "released") << seed;
  }
}

TEST(Disclosure, ARecordThatDominatesAnAttributeIsRefused) {
  DisclosureData data = test::heavy_tails();
  data.table.columns[2][900] = 200;
  EXPECT_EQ(outcome_of(data), kRulesRefused);
  EXPECT_EQ(outcome_of(data, {10, 1}), "released") << "max_dominance 1 switches the rule off";
}

// The rule on shares agrees with the clear text wherever the approximation by groups cannot change the answer.
TEST(Disclosure, TheThresholdIsTheAgreedOne) {
  for (const double share : {0.30, 0.42, 0.52, 0.70}) {
    DisclosureData data{"one far value", test::hospital_days(30, 400), {}, 0, true, false};
    auto& column = data.table.columns[1];
    double rest = 0;
    for (double x : column) rest += x * x;
    column[77] = std::sqrt(rest * share / (1 - share));
    SCOPED_TRACE(std::to_string(share) + " is " + std::to_string(dominance(column)));
    EXPECT_EQ(outcome_of(data), share < 0.5 ? "released" : kRulesRefused);
    EXPECT_EQ(outcome_of(data, {10, 0.8}), "released");
    EXPECT_EQ(outcome_of(data, {10, 0.25}), kRulesRefused);
  }
}

// Records that the owner adds but that do not join must not hide an outlier. Distances are from the joined mean.
TEST(Disclosure, TheOwnersOtherRecordsHideNothing) {
  DisclosureData data = test::outlier_outcome();
  data.table.outcome[3] = 60;
  EncodedRows rows = test::encode_rows(data.table);
  EXPECT_EQ(outcome_of(rows), kRulesRefused);
  for (i128& x : rows.columns.back()) x += i128{20} << kDataBits;  // 20 local units away from the owner's mean
  EXPECT_EQ(outcome_of(rows), kRulesRefused);
}

TEST(Disclosure, WithoutItsRuleEachAttackGoesThrough) {
  {
    const WithMutant rule(Mutant::no_level_rule);
    EXPECT_EQ(outcome_of(test::pair_of_groups()), "released");
    EXPECT_EQ(outcome_of(test::one_person_flag()), "released");
    EXPECT_EQ(outcome_of(test::outlier_outcome()), kRulesRefused);
  }
  const WithMutant rule(Mutant::no_dominance_rule);
  EXPECT_EQ(outcome_of(test::outlier_outcome()), "released");
  EXPECT_EQ(outcome_of(test::pair_of_groups()), kRulesRefused);
}

// Up to the refusal, every cause takes the same rounds and the same bytes. With the mutant they tell the cause.
TEST(Disclosure, EveryCauseLooksTheSame) {
  const auto seen = [](const DisclosureData& data) {
    const EncodedRows rows = test::encode_rows(data.table, {0});
    const auto outcome = test::attempt_rows(rows, {{0.01}, true, 400, {}, 7});
    EXPECT_TRUE(outcome.error);
    return std::make_pair(outcome.transcript.rounds, outcome.transcript.bytes_sent);
  };
  DisclosureData rare = test::common_flag(), outlier = rare, constant = rare;
  for (DisclosureData* data : {&rare, &outlier, &constant})
    for (std::size_t i = 0; i < 1000; ++i) data->table.columns[0][i] = i % 2;
  for (std::size_t i = 0; i < 1000; ++i) rare.table.columns[0][i] = i == 5;
  outlier.table.outcome[3] = 1e6;
  constant.table.outcome.assign(1000, 7);
  EXPECT_EQ(seen(rare), seen(outlier));
  EXPECT_EQ(seen(rare), seen(constant));
  const WithMutant each(Mutant::opens_each_violation);
  EXPECT_NE(seen(rare), seen(outlier));
  EXPECT_NE(seen(rare), seen(constant));
  EXPECT_NE(seen(outlier), seen(constant));
}

// With the largest values that the encoding allows, every opening stays within its bound (the harness checks each one),
// and the range rule refuses.
TEST(Disclosure, TheLargestValuesStayInRange) {
  constexpr i128 kLargest = (i128{1} << 30) + 1;
  for (const std::size_t n : {1000u, 1024u})
    for (const std::size_t period : {std::size_t{2}, n}) {
      EncodedRows rows;
      for (int j = 0; j < 3; ++j) {
        rows.columns.emplace_back(n, -kLargest);
        for (std::size_t r = 0; r < n; r += period) rows.columns[j][r] = kLargest;
        rows.means.push_back(0);
        rows.steps.push_back(i128{1} << kStepBits);
        rows.inverse_steps.push_back(i128{1} << kStepBits);
        rows.described.push_back({0, false});
      }
      for (const double theta : {0.1, 0.5, 0.999}) EXPECT_EQ(outcome_of(rows, {10, theta}), kRulesRefused);
      // With rules over the design the solver iterates on the same values before the bit is open.
      RowRules rules;
      rules.max_leverage = 0.4;
      rules.max_vif = 200;
      for (const double alpha : {1.0, 0.5, 0.0})
        for (const bool standardize : {true, false}) {
          test::AnalysisSettings settings{{1e-3}, standardize, 400, rules, 7, alpha};
          settings.precision = Precision::statistical;
          const auto outcome = test::attempt_rows(rows, settings);
          ASSERT_TRUE(outcome.error);
          EXPECT_EQ(outcome.error->message(), kRulesRefused);
        }
    }
}

TEST(Disclosure, GroupsCoverEveryRowOnce) {
  for (const std::size_t rows : {1u, 2u, 63u, 64u, 65u, 1000u}) {
    std::vector<FpVector> columns(1);
    columns[0].resize(rows);
    for (std::size_t r = 0; r < rows; ++r) columns[0][r] = Fp::from_int(static_cast<std::int64_t>(r + 1));
    const std::size_t groups = dominance_groups(0.5, rows);
    EXPECT_EQ(groups, std::min<std::size_t>(64, rows));
    CancelToken cancel;
    const GroupSums sums = group_sums(columns, groups, cancel);
    Fp linear, square;
    std::size_t covered = 0;
    for (std::size_t g = 0; g < groups; ++g) {
      linear += sums.linear[g];
      square += sums.square[g];
      covered += sums.sizes[g];
      EXPECT_GE(sums.sizes[0], sums.sizes[g]) << "the bound of the opening is that of the first group";
    }
    const auto n = static_cast<std::int64_t>(rows);
    EXPECT_EQ(covered, rows);
    EXPECT_EQ(linear, Fp::from_int(n * (n + 1) / 2));
    EXPECT_EQ(square, Fp::from_int(n * (n + 1) * (2 * n + 1) / 6));
  }
  EXPECT_EQ(dominance_groups(0.25, 100000), 256u);
  EXPECT_EQ(dominance_groups(0.01, 100000), 1024u);
}

// The widest study that a spec allows stays within the exposure limit of the engine.
TEST(Disclosure, TwoHundredAttributesAndTenMillionRecordsFitTheExposure) {
  for (const double theta : {0.1, 0.5, 1.0})
    EXPECT_LE(planned_exposure({201, 10000000, {1.0}, 1, true, 200, theta}), kMostExposure) << theta;
}

}  // namespace
}  // namespace pgmpc
