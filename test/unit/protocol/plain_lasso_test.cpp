// Tests the clear-text solver of the tests against the reference vectors, so that both can serve as references.
#include "support/plain_lasso.h"

#include <gtest/gtest.h>

#include "support/lasso_vectors.h"

namespace pgmpc::test {
namespace {

class ReferenceVector : public testing::TestWithParam<std::string> {};

TEST_P(ReferenceVector, IsWhatThePlainSolverFinds) {
  const LassoVector vector = load_lasso_vector(GetParam());
  const PlainLasso lasso(vector.table);
  ASSERT_FALSE(vector.fits.empty());
  for (const VectorFit& expected : vector.fits) {
    const PlainFit fit = lasso.fit(expected.lambda, expected.standardize, expected.alpha);
    SCOPED_TRACE(vector.name + " lambda " + std::to_string(expected.lambda));
    EXPECT_LT(coefficient_error(vector, expected, fit.coefficients), 1e-12);
    EXPECT_NEAR(fit.r_squared, expected.r_squared, 1e-13);
    EXPECT_NEAR(fit.intercept, expected.intercept, 1e-11 * std::max(1.0, std::fabs(expected.intercept)));
    const std::vector<double> found = expected.alpha == 1 ? merged(vector, fit.coefficients) : fit.coefficients;
    EXPECT_EQ(found.size() - static_cast<std::size_t>(std::count(found.begin(), found.end(), 0.0)),
              static_cast<std::size_t>(expected.nonzero));
    EXPECT_LT(fit.kkt, 1e-14);
  }
}

TEST_P(ReferenceVector, SatisfiesTheOptimalityConditions) {
  const LassoVector vector = load_lasso_vector(GetParam());
  const PlainLasso lasso(vector.table);
  for (const VectorFit& fit : vector.fits) {
    EXPECT_LT(lasso.kkt(fit.coefficients, fit.lambda, fit.standardize, fit.alpha), 1e-14);
    EXPECT_NEAR(lasso.r_squared(fit.coefficients), fit.r_squared, 1e-13);
    EXPECT_NEAR(fit.lambda * fit.alpha / lasso.lambda_max(fit.standardize), fit.lambda_over_max,
                1e-5 * fit.lambda_over_max);
    EXPECT_EQ(fit.lambda_over_max > 1, fit.nonzero == 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ReferenceVector, testing::ValuesIn(lasso_vector_names()),
                         [](const auto& test) { return test.param; });

// The checks above need a KKT residual that notices small changes.
TEST(PlainLasso, KktSeesAWrongCoefficient) {
  const LassoVector vector = load_lasso_vector("ar1_90");
  const PlainLasso lasso(vector.table);
  VectorFit fit = vector.fits.front();
  fit.coefficients[0] *= 1 + 1e-9;
  EXPECT_GT(lasso.kkt(fit.coefficients, fit.lambda, fit.standardize), 1e-11);
  fit.coefficients[0] = 0;
  EXPECT_GT(lasso.kkt(fit.coefficients, fit.lambda, fit.standardize), 1e-3);
}

TEST(PlainLasso, LambdaZeroIsLeastSquares) {
  PlainTable table{{{0, 1, 2, 3, 4}, {1, 0, 1, 0, 3}}, {}};
  for (std::size_t i = 0; i < 5; ++i) table.outcome.push_back(7 + 2 * table.columns[0][i] - 3 * table.columns[1][i]);
  const PlainFit fit = PlainLasso(table).fit(0, true);
  EXPECT_NEAR(fit.coefficients[0], 2, 1e-14);
  EXPECT_NEAR(fit.coefficients[1], -3, 1e-14);
  EXPECT_NEAR(fit.intercept, 7, 1e-14);
  EXPECT_NEAR(fit.r_squared, 1, 1e-14);
}

// One column, computed on paper: b = S(cov, lambda * s) / var with var = 2, cov = 4, s = sqrt(2).
TEST(PlainLasso, OneColumnInClosedForm) {
  const PlainTable table{{{-2, -1, 0, 1, 2}}, {-3, -1, 1, 3, 5}};
  const PlainLasso lasso(table);
  EXPECT_NEAR(lasso.fit(0.5, false).coefficients[0], (4 - 0.5) / 2, 1e-15);
  EXPECT_NEAR(lasso.fit(0.5, true).coefficients[0], (4 - 0.5 * std::sqrt(2.0)) / 2, 1e-15);
  EXPECT_NEAR(lasso.fit(0.5, true).intercept, 1, 1e-15);
  EXPECT_EQ(lasso.fit(4, false).coefficients[0], 0);
  EXPECT_EQ(lasso.lambda_max(false), 4);
}

}  // namespace
}  // namespace pgmpc::test
