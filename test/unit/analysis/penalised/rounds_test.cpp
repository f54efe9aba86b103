// Limits the rounds of the lasso on the data of bench/bench_lasso, so that a change that costs rounds fails here.
#include <gtest/gtest.h>

#include "../../../../bench/lasso_counts.h"
#include "support/penalised_request.h"

namespace pgmpc {
namespace {

void expect_rounds(std::size_t attributes, double rho, const std::vector<double>& fractions, std::int64_t most) {
  bench::LassoSet set(bench::make_ar_table(attributes, rho));
  for (double fraction : fractions) EXPECT_LE(set.fit({fraction}, 1).transcript.rounds, most) << fraction;
  EXPECT_LE(set.coefficient_error(), 1e-6);
  EXPECT_LE(set.r_squared_error(), 1e-6);
}

TEST(Rounds, ThirtyUncorrelatedAttributes) {
  EXPECT_LE(bench::count_lasso(bench::make_lasso_requests()).transcript.rounds, 58);
}

// Statistical precision and all rules take three rounds more, all of them for the grids.
TEST(Rounds, ThirtyAttributesAtTheDefaultsOfASpec) {
  const bench::LassoCounts counts = bench::count_lasso(bench::make_default_requests());
  EXPECT_LE(counts.transcript.rounds, 61);
  EXPECT_LE(counts.bytes, 6000000);
  // The estimates of explain_study are within 20 %.
  PlannedAnalysis plan{31, 5000, {1.0}, 1, true, 200, 0.5};
  plan.precision = Precision::statistical;
  plan.max_leverage = 0.4;
  plan.max_vif = 200;
  EXPECT_NEAR(static_cast<double>(typical_rounds(plan)) / static_cast<double>(counts.transcript.rounds), 1, 0.2);
  EXPECT_NEAR(static_cast<double>(typical_bytes_per_party(plan)) / static_cast<double>(counts.bytes), 1, 0.2);
}

TEST(Rounds, NeighboursCorrelatedNineTenths) { expect_rounds(30, 0.9, {0.01, 0.05, 0.1, 0.5}, 78); }

TEST(Rounds, NeighboursCorrelatedNinetyNinePercent) { expect_rounds(30, 0.99, {0.01, 0.05, 0.1, 0.5}, 118); }

TEST(Rounds, AHundredAttributesCorrelatedNineTenths) { expect_rounds(100, 0.9, {0.1}, 98); }

}  // namespace
}  // namespace pgmpc
