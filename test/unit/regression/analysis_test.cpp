// The whole analysis on shares against the stored reference values (scikit-learn / glmnet, test/vectors/lasso).
#include "regression/analysis.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "linkage/encoding.h"
#include "support/lasso_vectors.h"
#include "support/mpc_harness.h"

namespace pgmpc {
namespace {

using test::LassoVector;
using test::VectorFit;

// The joined rows as the owners would have encoded them: by mean and spread of a larger population of their own
// (every third record did not join and lies elsewhere).
struct Encoded {
  std::vector<std::vector<i128>> columns;
  std::vector<i128> means;
  std::vector<AnalysisColumn> described;
};

Encoded encode(const test::PlainTable& table, const std::vector<std::size_t>& binary = {}) {
  Encoded out;
  auto add = [&](const std::vector<double>& values, bool is_binary) {
    std::vector<double> population = values;
    double low = values[0], high = values[0];
    for (double x : values) low = std::min(low, x), high = std::max(high, x);
    if (!is_binary)
      for (std::size_t r = 0; r < values.size(); r += 3) population.push_back(values[r] + 0.2 * (high - low));
    const EncodedColumn column = encode_column("c", population, is_binary);
    std::vector<i128> ints;
    for (std::size_t r = 0; r < values.size(); ++r) ints.push_back(column.values[r]);
    out.columns.push_back(std::move(ints));
    out.means.push_back(column.scaled_mean);
    out.described.push_back({column.exponent, column.binary});
  };
  for (std::size_t j = 0; j < table.columns.size(); ++j)
    add(table.columns[j], std::find(binary.begin(), binary.end(), j) != binary.end());
  add(table.outcome, false);
  return out;
}

struct Outcome {
  std::vector<Model> models;
  Transcript transcript;
};

Outcome run(const Encoded& data, const std::vector<double>& lambdas, bool standardize, int max_iterations = 400,
            std::int64_t min_level_count = 10, unsigned recipients = 7, int reader = 0) {
  MpcHarness h(41);
  std::vector<std::array<FpVector, kParties>> shares;
  for (const auto& column : data.columns) shares.push_back(h.deal(column));
  const auto means = h.deal(data.means);
  CancelToken cancel;
  const auto named = [](auto body) {  // a failing vector says why
    try {
      return body();
    } catch (const Error& e) {
      std::printf("%s: %s\n", e.what(), e.detail().c_str());
      throw;
    }
  };
  auto results = named([&] { return h.run([&](Session& s) {
    AnalysisRequest request;
    for (auto& column : shares) request.columns.push_back(column[s.self()].clone());
    request.means = means[s.self()].clone();
    request.described = data.described;
    request.lambdas = lambdas;
    request.standardize = standardize;
    request.max_iterations = max_iterations;
    request.min_level_count = min_level_count;
    request.recipients = recipients;
    return analyse(s, std::move(request), cancel, {});
  }); });
  return {results[reader], h.transcript(reader)};
}

class Vectors : public ::testing::TestWithParam<std::string> {};

TEST_P(Vectors, CoefficientsWithinOneMillionth) {
  const LassoVector vector = test::load_lasso_vector(GetParam());
  const Encoded data = encode(vector.table);
  for (bool standardize : {true, false}) {
    std::vector<double> lambdas;
    std::vector<const VectorFit*> fits;
    for (const VectorFit& fit : vector.fits)
      if (fit.standardize == standardize) lambdas.push_back(fit.lambda), fits.push_back(&fit);
    if (lambdas.empty()) continue;
    const Outcome outcome = run(data, lambdas, standardize);
    for (std::size_t k = 0; k < fits.size(); ++k) {
      const Model& model = outcome.models[k];
      const VectorFit& fit = *fits[k];
      SCOPED_TRACE(GetParam() + " lambda " + std::to_string(fit.lambda) + " standardize " + std::to_string(standardize) +
                   " iterations " + std::to_string(model.iterations));
      EXPECT_LE(test::coefficient_error(vector, fit, model.coefficients), 1e-6);
      EXPECT_NEAR(model.r_squared, fit.r_squared, 1e-6);
      EXPECT_NEAR(model.intercept, fit.intercept, 1e-5 * std::max(1.0, std::fabs(fit.intercept)));
      for (std::size_t j = 0; j < fit.coefficients.size(); ++j)
        if (fit.coefficients[j] == 0 && vector.identical.empty()) {
          EXPECT_EQ(model.coefficients[j], 0) << "column " << j;
        }
    }
    std::printf("%s standardize %d: rounds %lld, MB sent by one party %.2f, exposure 2^%.1f, widest %d bits\n",
                GetParam().c_str(), standardize, static_cast<long long>(outcome.transcript.rounds),
                outcome.transcript.bytes_sent / 1e6, std::log2(outcome.transcript.exposure),
                outcome.transcript.widest_opening);
    EXPECT_LE(outcome.transcript.exposure, 0x1p-24);
  }
}

INSTANTIATE_TEST_SUITE_P(Lasso, Vectors, ::testing::ValuesIn(test::lasso_vector_names()),
                         [](const auto& test) { return test.param; });

TEST(Analysis, OnlyRecipientsReceiveTheModel) {
  const Encoded data = encode(test::load_lasso_vector("diabetes").table);
  const Outcome outsider = run(data, {1.0}, true, 400, 10, 0b011, 2);
  EXPECT_FALSE(outsider.models[0].received);
  EXPECT_TRUE(outsider.models[0].coefficients.empty());
  EXPECT_TRUE(run(data, {1.0}, true, 400, 10, 0b011, 1).models[0].received);
}

TEST(Analysis, TheIterationCapIsAnErrorAndOpensNothing) {
  const Encoded data = encode(test::load_lasso_vector("ar1_99").table);
  try {
    run(data, {0.01}, true, 5);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::not_converged);
  }
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

ErrorCode refusal(const Encoded& data, std::int64_t min_level_count = 10) {
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
  EXPECT_EQ(refusal(encode(table)), ErrorCode::refused);
}

TEST(Analysis, AConstantColumnGetsCoefficientZero) {
  test::PlainTable table = small_table(2, 200, 3);
  for (double& x : table.columns[1]) x = 17;
  const Outcome outcome = run(encode(table), {0.01}, true);
  EXPECT_EQ(outcome.models[0].coefficients[1], 0);
  EXPECT_NE(outcome.models[0].coefficients[0], 0);
}

// Security review, F11: a rare level, and two 0/1 columns that differ in one record.
TEST(Analysis, RareLevelsAndNestedFlagsAreRefusedOrdinaryFlagsPass) {
  const std::size_t n = 400;
  test::PlainTable table = small_table(3, n, 4);
  for (std::size_t r = 0; r < n; ++r) {
    table.columns[0][r] = r % 2 == 0;
    table.columns[1][r] = r % 20 == 0;  // 5 percent
  }
  EXPECT_TRUE(run(encode(table, {0, 1}), {0.01}, true).models[0].received);
  test::PlainTable one_person = table;
  for (std::size_t r = 0; r < n; ++r) one_person.columns[1][r] = r == 7;
  EXPECT_EQ(refusal(encode(one_person, {0, 1})), ErrorCode::refused);
  test::PlainTable nested = table;
  nested.columns[2] = nested.columns[1];
  nested.columns[2][0] = 0;
  EXPECT_EQ(refusal(encode(nested, {0, 1, 2})), ErrorCode::refused);
  test::PlainTable equal = table;
  equal.columns[2] = equal.columns[1];
  EXPECT_TRUE(run(encode(equal, {0, 1, 2}), {0.01}, true).models[0].received);
}

}  // namespace
}  // namespace pgmpc
