// Tests the analysis with comparisons by truth tables (analysis.comparison "compact"). Every gate that compares
// (precheck, roots, thresholds, solver, stop bit, validity, release) gives the results of comparison keys, with fewer
// bytes.
#include <gtest/gtest.h>

#include <cmath>

#include "analysis/penalised/fit.h"
#include "base/error.h"
#include "support/analysis_harness.h"
#include "support/lasso_vectors.h"
#include "support/penalised_request.h"

namespace pgmpc {
namespace {

using test::AnalysisOutcome;
using test::AnalysisSettings;

AnalysisSettings compact(std::vector<double> lambdas) {
  AnalysisSettings settings;
  settings.lambdas = std::move(lambdas);
  settings.comparison = ComparisonKind::compact;
  return settings;
}

TEST(Compact, DiabetesWithinOneMillionthForFewerBytes) {
  const test::LassoVector vector = test::load_lasso_vector("diabetes");
  const test::EncodedRows data = test::encode_rows(vector.table);
  for (const test::VectorFit& fit : vector.fits) {
    if (fit.alpha != 1 || !fit.standardize) continue;
    SCOPED_TRACE("lambda " + std::to_string(fit.lambda));
    AnalysisSettings settings = compact({fit.lambda});
    const AnalysisOutcome outcome = test::analyse_rows(data, settings);
    EXPECT_LE(test::coefficient_error(vector, fit, outcome.models[0].coefficients), 1e-6);
    EXPECT_NEAR(outcome.models[0].r_squared, fit.r_squared, 1e-6);
    settings.comparison = ComparisonKind::fast;
    const AnalysisOutcome fast = test::analyse_rows(data, settings);
    std::printf("lambda %g: %lld rounds, %lld bytes; fast %lld rounds, %lld bytes\n", fit.lambda,
                static_cast<long long>(outcome.transcript.rounds),
                static_cast<long long>(outcome.transcript.bytes_sent), static_cast<long long>(fast.transcript.rounds),
                static_cast<long long>(fast.transcript.bytes_sent));
    EXPECT_LT(outcome.transcript.bytes_sent, fast.transcript.bytes_sent / 3);
    EXPECT_GT(outcome.transcript.rounds, fast.transcript.rounds);
    EXPECT_LT(outcome.transcript.rounds, 2 * fast.transcript.rounds);
    PlannedAnalysis plan{vector.table.columns.size() + 1, vector.table.outcome.size(), {fit.lambda}};
    plan.max_iterations = settings.max_iterations;
    plan.comparison = ComparisonKind::compact;
    EXPECT_LE(outcome.transcript.exposure, planned_exposure(plan)) << "explain_study promises at most this";
  }
}

// Fewer iterations lie between two refreshes than with keys. The planned exposure must count these refreshes.
TEST(Compact, PlannedExposureCoversShortRuns) {
  const test::LassoVector vector = test::load_lasso_vector("ar1_90");
  const test::EncodedRows data = test::encode_rows(vector.table);
  AnalysisSettings settings = compact({0.05, 0.1});
  settings.max_iterations = 60;
  const AnalysisOutcome outcome = test::analyse_rows(data, settings);
  PlannedAnalysis plan{vector.table.columns.size() + 1, vector.table.outcome.size(), settings.lambdas};
  plan.max_iterations = settings.max_iterations;
  plan.comparison = ComparisonKind::compact;
  EXPECT_LE(outcome.transcript.exposure, planned_exposure(plan));
}

TEST(Compact, OtherPenaltiesAgreeWithComparisonKeys) {
  const test::EncodedRows data = test::encode_rows(test::load_lasso_vector("diabetes").table);
  for (const double alpha : {0.5, 0.0})
    for (const bool standardize : {true, false}) {
      AnalysisSettings settings = compact({0.5, 5});
      settings.alpha = alpha;
      settings.standardize = standardize;
      const AnalysisOutcome tables = test::analyse_rows(data, settings);
      settings.comparison = ComparisonKind::fast;
      const AnalysisOutcome keys = test::analyse_rows(data, settings);
      for (std::size_t k = 0; k < 2; ++k) {
        double largest = 0;
        for (double c : keys.models[k].coefficients) largest = std::max(largest, std::fabs(c));
        for (std::size_t j = 0; j < keys.models[k].coefficients.size(); ++j)
          EXPECT_NEAR(tables.models[k].coefficients[j], keys.models[k].coefficients[j], 1e-6 * largest);
        EXPECT_NEAR(tables.models[k].r_squared, keys.models[k].r_squared, 1e-6);
      }
    }
}

ErrorCode refusal(const test::PlainTable& table, const std::vector<std::size_t>& binary) {
  try {
    test::analyse_rows(test::encode_rows(table, binary), compact({0.01}));
  } catch (const Error& e) {
    return e.code();
  }
  return ErrorCode::internal;
}

TEST(Compact, PrecheckAndValidityStillRefuse) {
  TestRng rng(5);
  test::PlainTable table;
  table.columns.resize(2);
  for (std::size_t r = 0; r < 300; ++r) {
    table.columns[0].push_back(r % 2 == 0 ? 1 : 0);
    table.columns[1].push_back(static_cast<double>(rng.below(1000)) / 100);
    table.outcome.push_back(table.columns[0][r] + table.columns[1][r] + static_cast<double>(rng.below(100)) / 50);
  }
  EXPECT_TRUE(test::analyse_rows(test::encode_rows(table, {0}), compact({0.01})).models[0].received);
  test::PlainTable rare = table, constant = table;
  for (std::size_t r = 0; r < 300; ++r) rare.columns[0][r] = r == 7;
  for (double& y : constant.outcome) y = 4;
  EXPECT_EQ(refusal(rare, {0}), ErrorCode::refused);
  EXPECT_EQ(refusal(constant, {0}), ErrorCode::refused);
}

TEST(Compact, TheIterationCapIsAnError) {
  AnalysisSettings settings = compact({0.01});
  settings.max_iterations = 5;
  const test::EncodedRows data = test::encode_rows(test::load_lasso_vector("ar1_99").table);
  try {
    test::analyse_rows(data, settings);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::not_converged);
  }
}

TEST(Compact, IsPlannedWithMoreRoundsAndFewerBytes) {
  PlannedAnalysis plan{31, 5000, {0.1}};
  const auto rounds = typical_rounds(plan), bytes = typical_bytes_per_party(plan);
  plan.comparison = ComparisonKind::compact;
  EXPECT_GT(typical_rounds(plan), rounds);
  EXPECT_LT(typical_bytes_per_party(plan), bytes / 2);
}

}  // namespace
}  // namespace pgmpc
