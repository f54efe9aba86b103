// Tests two-valued columns of any coding: models are those of the clear text, and the level rule is that of booleans.
#include <gtest/gtest.h>

#include <cmath>

#include "support/analysis_harness.h"

namespace pgmpc {
namespace {

struct Coding {
  double low, high;
};

// Returns one design with its flags in the given codings, and with a two-valued outcome if asked for.
test::PlainTable table_of(const std::vector<Coding>& codings, bool two_valued_outcome) {
  TestRng rng(8);
  const auto uniform = [&] { return (static_cast<double>(rng.below(2000001)) - 1e6) / 1e6; };
  test::PlainTable table;
  table.columns.resize(codings.size() + 2);
  for (std::size_t r = 0; r < 400; ++r) {
    double y = uniform();
    for (std::size_t j = 0; j < codings.size(); ++j) {
      const bool one = rng.below(10) < 2 + j;
      table.columns[j].push_back(one ? codings[j].high : codings[j].low);
      y += one ? 0.5 + 0.3 * static_cast<double>(j) : 0;
    }
    for (std::size_t j = codings.size(); j < table.columns.size(); ++j) {
      table.columns[j].push_back(40 + 3 * uniform());
      y += 0.2 * table.columns[j].back();
    }
    table.outcome.push_back(two_valued_outcome ? (y > 16.5 ? 7 : -2) : y);
  }
  return table;
}

void expect_clear_model(const std::vector<Coding>& codings, bool two_valued_outcome, bool standardize, double alpha) {
  SCOPED_TRACE("outcome " + std::to_string(two_valued_outcome) + " standardize " + std::to_string(standardize) +
               " alpha " + std::to_string(alpha));
  const test::PlainTable table = table_of(codings, two_valued_outcome);
  std::vector<std::size_t> flags(codings.size());
  for (std::size_t j = 0; j < flags.size(); ++j) flags[j] = j;
  test::EncodedRows rows = test::encode_rows(table, flags);
  if (two_valued_outcome) {
    const EncodedColumn outcome = encode_two_valued("y", table.outcome);
    rows.columns.back().assign(outcome.values.begin(), outcome.values.end());
    rows.means.back() = outcome.scaled_mean;
    rows.steps.back() = outcome.step;
    rows.inverse_steps.back() = outcome.inverse_step;
    rows.described.back() = {outcome.exponent, true};
  }
  const test::PlainLasso plain(table);
  const double lambda = 0.05 * plain.lambda_max(standardize);
  const auto outcome = test::analyse_rows(rows, {{lambda}, standardize, 400, {}, 7, alpha});
  const test::PlainFit expected = plain.fit(lambda, standardize, alpha);
  for (std::size_t j = 0; j < table.columns.size(); ++j) {
    const double unit = j < codings.size() ? codings[j].high - codings[j].low : 1;
    EXPECT_NEAR(outcome.models[0].coefficients[j] * unit, expected.coefficients[j] * unit, 2e-6) << j;
  }
  EXPECT_NEAR(outcome.models[0].r_squared, expected.r_squared, 1e-6);
  EXPECT_NEAR(outcome.models[0].intercept, expected.intercept, 1e-4);
}

TEST(TwoValued, ModelsAreThoseOfTheClearText) {
  const std::vector<Coding> codings = {{0, 1}, {-1, 1}, {1, 2}, {5, 5.7}, {-300, 1000}};
  for (const bool outcome : {false, true})
    for (const bool standardize : {false, true})
      for (const double alpha : {1.0, 0.5, 0.0}) expect_clear_model(codings, outcome, standardize, alpha);
}

TEST(TwoValued, TheLevelRuleHoldsWhateverTheCoding) {
  for (const Coding& coding : {Coding{0, 1}, Coding{1, 0}, Coding{5, 7}, Coding{-1e6, -1e6 + 1e5}}) {
    test::PlainTable table = table_of({coding}, false);
    for (std::size_t r = 0; r < 400; ++r) table.columns[0][r] = r < 9 ? coding.high : coding.low;
    EXPECT_TRUE(test::attempt_rows(test::encode_rows(table, {0}), {{1.0}, true, 400, {}, 7}).error) << coding.high;
    table.columns[0][9] = coding.high;
    EXPECT_FALSE(test::attempt_rows(test::encode_rows(table, {0}), {{1.0}, true, 400, {}, 7}).error) << coding.high;
  }
}

}  // namespace
}  // namespace pgmpc
