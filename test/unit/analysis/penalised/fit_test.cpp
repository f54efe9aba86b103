// Tests the whole analysis on shares against stored reference values (scikit-learn and glmnet, test/vectors/lasso).
#include "analysis/penalised/fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "analysis/penalised/convergence.h"
#include "base/error.h"
#include "support/analysis_harness.h"
#include "support/lasso_vectors.h"
#include "support/message_of.h"
#include "support/penalised_request.h"

namespace pgmpc {
namespace {

using test::LassoVector;
using test::VectorFit;

using test::AnalysisOutcome;
using test::EncodedRows;

AnalysisOutcome run(const EncodedRows& rows, std::vector<double> lambdas, bool standardize, int max_iterations = 400,
                    std::int64_t min_level_count = 10, double alpha = 1) {
  return test::analyse_rows(rows, {std::move(lambdas), standardize, max_iterations, {min_level_count, 0.5}, 7, alpha});
}

class Vectors : public ::testing::TestWithParam<std::string> {};

void compare(const LassoVector& vector, const VectorFit& fit, const Model& model) {
  SCOPED_TRACE(vector.name + " lambda " + std::to_string(fit.lambda) + " alpha " + std::to_string(fit.alpha) +
               " standardize " + std::to_string(fit.standardize) + " iterations " + std::to_string(model.iterations));
  EXPECT_LE(test::coefficient_error(vector, fit, model.coefficients), 1e-6);
  EXPECT_NEAR(model.r_squared, fit.r_squared, 1e-6);
  EXPECT_NEAR(model.intercept, fit.intercept, 1e-5 * std::max(1.0, std::fabs(fit.intercept)));
  for (std::size_t j = 0; j < fit.coefficients.size(); ++j)
    if (fit.coefficients[j] == 0 && (vector.identical.empty() || fit.alpha < 1)) {
      EXPECT_EQ(model.coefficients[j], 0) << "column " << j;
    }
}

// Runs all fits of one penalty in the same rounds.
void compare_all(const LassoVector& vector, const EncodedRows& data, const std::vector<const VectorFit*>& fits) {
  std::vector<double> lambdas;
  for (const VectorFit* fit : fits) lambdas.push_back(fit->lambda);
  const double alpha = fits[0]->alpha;
  const bool standardize = fits[0]->standardize;
  const AnalysisOutcome outcome = run(data, lambdas, standardize, 400, 10, alpha);
  double error = 0;
  int iterations = 0;
  for (std::size_t k = 0; k < fits.size(); ++k) {
    compare(vector, *fits[k], outcome.models[k]);
    error = std::max(error, test::coefficient_error(vector, *fits[k], outcome.models[k].coefficients));
    iterations = std::max(iterations, outcome.models[k].iterations);
  }
  std::printf("%s alpha %g standardize %d: error %.1e, iterations %d, rounds %lld, MB %.2f, exposure 2^%.1f, %d bits\n",
              vector.name.c_str(), alpha, standardize, error, iterations,
              static_cast<long long>(outcome.transcript.rounds), outcome.transcript.bytes_sent / 1e6,
              std::log2(outcome.transcript.exposure), outcome.transcript.widest_opening);
  EXPECT_LE(outcome.transcript.exposure, 0x1p-24);
  const double planned = planned_exposure(
      {vector.table.columns.size() + 1, vector.table.outcome.size(), lambdas, alpha, standardize, 400});
  EXPECT_LE(outcome.transcript.exposure, planned) << "explain_study promises at most this";
  EXPECT_GE(outcome.transcript.exposure, planned / 256) << "a bound that says nothing";
}

TEST_P(Vectors, CoefficientsWithinOneMillionth) {
  const LassoVector vector = test::load_lasso_vector(GetParam());
  const EncodedRows data = test::encode_rows(vector.table);
  std::map<std::pair<double, bool>, std::vector<const VectorFit*>> groups;
  for (const VectorFit& fit : vector.fits) groups[{fit.alpha, fit.standardize}].push_back(&fit);
  for (const auto& [key, fits] : groups) compare_all(vector, data, fits);
}

INSTANTIATE_TEST_SUITE_P(Lasso, Vectors, ::testing::ValuesIn(test::lasso_vector_names()),
                         [](const auto& test) { return test.param; });

// Compares random problems, in extreme units and shapes, with the clear-text solver.
void random_problems(std::uint64_t first, std::uint64_t last, double alpha) {
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    TestRng rng(seed);
    const auto uniform = [&] { return (static_cast<double>(rng.below(2000001)) - 1e6) / 1e6; };
    const std::size_t d = 1 + rng.below(8), n = 20 + rng.below(300);
    const double correlation = rng.below(3) == 0 ? 0.95 : 0.3 * uniform();
    test::PlainTable table;
    table.columns.resize(d);
    std::vector<double> unit(d), shift(d), beta(d);
    for (std::size_t j = 0; j < d; ++j) {
      unit[j] = std::pow(10, 5 * uniform());
      shift[j] = 50 * unit[j] * uniform();
      beta[j] = rng.below(2) ? uniform() : 0;
    }
    const double outcome_unit = std::pow(10, 4 * uniform());
    for (std::size_t r = 0; r < n; ++r) {
      double y = 0.5 * uniform(), before = 0;
      for (std::size_t j = 0; j < d; ++j) {
        before = correlation * before + uniform();
        y += beta[j] * before;
        table.columns[j].push_back(unit[j] * before + shift[j]);
      }
      table.outcome.push_back(outcome_unit * (y + 3));
    }
    const bool standardize = rng.below(2) == 0;
    const test::PlainLasso plain(table);
    std::vector<double> lambdas;
    for (double f : {0.0, 0.003, 0.1, 0.6, 1.2}) lambdas.push_back(f * plain.lambda_max(standardize));
    const AnalysisOutcome outcome = run(test::encode_rows(table), lambdas, standardize, 400, 10, alpha);
    for (std::size_t k = 0; k < lambdas.size(); ++k) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " lambda " + std::to_string(k) + " n " + std::to_string(n) + " d " +
                   std::to_string(d) + " standardize " + std::to_string(standardize) + " iterations " +
                   std::to_string(outcome.models[k].iterations));
      const test::PlainFit expected = plain.fit(lambdas[k], standardize, alpha);
      // Errors are compared in the unit of each column; in original units one column with a tiny unit would hide the
      // others. Released values have 28 fractional bits in local units.
      double error = 0, largest = 0;
      for (std::size_t j = 0; j < d; ++j) {
        error = std::max(error, std::fabs(outcome.models[k].coefficients[j] - expected.coefficients[j]) * unit[j]);
        largest = std::max(largest, std::fabs(expected.coefficients[j]) * unit[j]);
      }
      EXPECT_LE(error, 1e-6 * largest + 2e-8 * outcome_unit);
      EXPECT_NEAR(outcome.models[k].r_squared, expected.r_squared, 1e-6);
      EXPECT_NEAR(outcome.models[k].intercept, expected.intercept,
                  5e-6 * outcome_unit * (1 + 50 * largest / outcome_unit));
    }
  }
}

TEST(Analysis, RandomProblemsInAnyUnits) { random_problems(1, 60, 1); }

TEST(Analysis, RandomElasticNetsInAnyUnits) { random_problems(101, 130, 0.5); }

TEST(Analysis, RandomRidgesInAnyUnits) { random_problems(201, 230, 0); }

TEST(Analysis, OnlyRecipientsReceiveTheModel) {
  const EncodedRows data = test::encode_rows(test::load_lasso_vector("diabetes").table);
  const AnalysisOutcome outsider = test::analyse_rows(data, {{1.0}, true, 400, {}, 0b011}, 2);
  EXPECT_FALSE(outsider.models[0].received);
  EXPECT_TRUE(outsider.models[0].coefficients.empty());
  EXPECT_TRUE(test::analyse_rows(data, {{1.0}, true, 400, {}, 0b011}, 1).models[0].received);
}

// Some lambdas of the lists converge at once. Still nothing is opened.
TEST(Analysis, TheIterationCapIsAnErrorAndOpensNothing) {
  const EncodedRows data = test::encode_rows(test::load_lasso_vector("ar1_99").table);
  const auto code = [&](const std::vector<double>& lambdas, double alpha) {
    try {
      run(data, lambdas, true, 5, 10, alpha);
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code({0.01}, 1), ErrorCode::not_converged);
  EXPECT_EQ(code({1e6, 0.01}, 1), ErrorCode::not_converged);
  EXPECT_EQ(code({0.001}, 0.5), ErrorCode::not_converged);
  EXPECT_EQ(code({1, 0.0001}, 0), ErrorCode::not_converged);
}

test::PlainTable small_table(std::uint64_t seed, std::size_t n, std::size_t d) {
  TestRng rng(seed);
  auto draw = [&] { return (static_cast<double>(rng.below(1000001)) - 500000) / 250000; };
  test::PlainTable table;
  table.columns.resize(d);
  for (std::size_t r = 0; r < n; ++r) {
    double y = draw();
    for (std::size_t j = 0; j < d; ++j) table.columns[j].push_back(draw()), y += table.columns[j].back() / (j + 1);
    table.outcome.push_back(y);
  }
  return table;
}

ErrorCode refusal(const EncodedRows& data, std::int64_t min_level_count = 10) {
  try {
    run(data, {0.01}, true, 400, min_level_count);
  } catch (const Error& e) {
    return e.code();
  }
  return ErrorCode::internal;
}

TEST(Analysis, AConstantOutcomeIsRefused) {
  test::PlainTable table = small_table(1, 200, 3);
  for (double& y : table.outcome) y = 4;
  EXPECT_EQ(refusal(test::encode_rows(table)), ErrorCode::refused);
}

TEST(Analysis, AConstantColumnGetsCoefficientZero) {
  test::PlainTable table = small_table(2, 200, 3);
  for (double& x : table.columns[1]) x = 17;
  const AnalysisOutcome outcome = run(test::encode_rows(table), {0.01}, true);
  EXPECT_EQ(outcome.models[0].coefficients[1], 0);
  EXPECT_NE(outcome.models[0].coefficients[0], 0);
}

TEST(Analysis, IterationsHaveALimit) {
  EXPECT_EQ(test::message_of([] { check_iterations((1 << 16) - 1); }), "no error");
  EXPECT_EQ(test::message_of([] { check_iterations(1 << 16); }), "too many iterations");
}

// Rule F23: ridge has no other zero coefficients, so a zero would show that the column is constant.
TEST(Analysis, WithoutAnL1PartAConstantColumnIsRefused) {
  test::PlainTable table = small_table(2, 200, 3);
  EXPECT_EQ(run(test::encode_rows(table), {0.01}, true, 400, 10, 0).models.size(), 1U);
  for (double& x : table.columns[1]) x = 17;
  const EncodedRows data = test::encode_rows(table);
  for (bool standardize : {true, false}) {
    try {
      run(data, {0.01}, standardize, 400, 10, 0);
      FAIL();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::refused);
      EXPECT_EQ(e.message(), "the result failed its validity check and was not opened");
    }
    EXPECT_EQ(run(data, {0.01}, standardize, 400, 10, 0.5).models[0].coefficients[1], 0);
  }
}

// With huge quadratic parts the coefficients shrink in proportion and keep their relative precision.
TEST(Analysis, HugeQuadraticPartsStayExact) {
  const test::PlainTable table = small_table(4, 300, 3);
  const test::PlainLasso plain(table);
  const std::vector<double> lambdas = {30, 1e3, 1e5, 1e12, 1e20};
  for (bool standardize : {true, false}) {
    const AnalysisOutcome outcome = run(test::encode_rows(table), lambdas, standardize, 400, 10, 0);
    for (std::size_t k = 0; k < lambdas.size(); ++k) {
      const test::PlainFit expected = plain.fit(lambdas[k], standardize, 0);
      for (std::size_t j = 0; j < 3; ++j)
        EXPECT_NEAR(outcome.models[k].coefficients[j], expected.coefficients[j],
                    (k < 2 ? 1e-6 : 1e-4) * std::fabs(expected.coefficients[0]))
            << lambdas[k];
      EXPECT_NEAR(outcome.models[k].intercept, expected.intercept, 1e-6);
      EXPECT_NEAR(outcome.models[k].r_squared, expected.r_squared, 1e-6);
    }
  }
}

// Rule F11: refuses a rare level, and two 0/1 columns that differ in one record.
TEST(Analysis, RareLevelsAndNestedFlagsAreRefusedOrdinaryFlagsPass) {
  const std::size_t n = 400;
  test::PlainTable table = small_table(3, n, 4);
  for (std::size_t r = 0; r < n; ++r) {
    table.columns[0][r] = r % 2 == 0;
    table.columns[1][r] = r % 20 == 0;  // 5 percent
  }
  EXPECT_TRUE(run(test::encode_rows(table, {0, 1}), {0.01}, true).models[0].received);
  test::PlainTable one_person = table;
  for (std::size_t r = 0; r < n; ++r) one_person.columns[1][r] = r == 7;
  EXPECT_EQ(refusal(test::encode_rows(one_person, {0, 1})), ErrorCode::refused);
  test::PlainTable nested = table;
  nested.columns[2] = nested.columns[1];
  nested.columns[2][0] = 0;
  EXPECT_EQ(refusal(test::encode_rows(nested, {0, 1, 2})), ErrorCode::refused);
  test::PlainTable equal = table;
  equal.columns[2] = equal.columns[1];
  EXPECT_TRUE(run(test::encode_rows(equal, {0, 1, 2}), {0.01}, true).models[0].received);
}

}  // namespace
}  // namespace pgmpc
