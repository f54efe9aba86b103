// Tests several analyses of one join: results, rounds, exposure and refusals.
#include <gtest/gtest.h>

#include <cmath>

#include "analysis/registry.h"
#include "base/limits.h"
#include "support/analysis_harness.h"
#include "support/lasso_vectors.h"
#include "support/penalised_request.h"

namespace pgmpc {
namespace {

// The diabetes data with eight attributes and two outcomes: column 8 of the data, then its own outcome.
constexpr std::size_t kAttributes = 8;

struct Case {
  std::string name;
  PenalisedSettings settings;
  std::vector<std::size_t> attributes;
  std::size_t outcome;
};

PenalisedSettings settings(PenaltyKind kind, std::vector<double> lambdas, double alpha) {
  PenalisedSettings out;
  out.kind = kind;
  out.lambdas = std::move(lambdas);
  out.alpha = alpha;
  return out;
}

std::vector<Case> cases() {
  return {{"all", settings(PenaltyKind::lasso, {1.0}, 1), {0, 1, 2, 3, 4, 5, 6, 7}, 9},
          {"few", settings(PenaltyKind::lasso, {0.004, 0.001}, 1), {6, 2, 3}, 8},
          {"ridge", settings(PenaltyKind::ridge, {0.1}, 0), {0, 4, 5, 7}, 9}};
}

class Several : public ::testing::Test {
 protected:
  Several() : table_(test::load_lasso_vector("diabetes").table) {
    table_.columns.resize(kAttributes + 1);
    rows_ = test::encode_rows(table_);
  }

  struct Outcome {
    std::vector<AnalysisResult> results;
    Transcript transcript;
    std::shared_ptr<Error> error;
  };

  Outcome run(const std::vector<Case>& wanted, RowRules rules = {}) {
    MpcHarness h(43);
    const test::DealtRows dealt(h, rows_);
    CancelToken cancel;
    auto outcomes = h.run([&](Session& s) {
      Outcome out;
      AnalysesRequest request;
      request.records = dealt.of(s.self(), kAttributes);
      request.rules = rules;
      for (const Case& each : wanted) {
        AnalysisColumns columns{each.attributes, each.outcome, {}};
        for (const std::size_t j : each.attributes) columns.names.push_back({"p", "x" + std::to_string(j)});
        request.tasks.push_back({each.name, make_penalised(each.settings), columns});
      }
      try {
        out.results = run_analyses(s, std::move(request), cancel, {});
      } catch (const Error& error) {
        out.error = std::make_shared<Error>(error);
      }
      return out;
    });
    outcomes[1].transcript = h.transcript(1);
    return std::move(outcomes[1]);
  }

  test::PlainTable table_of(const Case& each) const {
    test::PlainTable out;
    for (const std::size_t j : each.attributes) out.columns.push_back(table_.columns[j]);
    out.outcome = each.outcome == kAttributes ? table_.columns[kAttributes] : table_.outcome;
    return out;
  }

  test::PlainTable table_;
  test::EncodedRows rows_;
};

// Test builds abort when two analyses use the same label, so this also tests that labels differ.
TEST_F(Several, EachIsTheOneThatItIsAlone) {
  const Outcome outcome = run(cases());
  ASSERT_EQ(outcome.error, nullptr);
  ASSERT_EQ(outcome.results.size(), 3U);
  for (std::size_t k = 0; k < 3; ++k) {
    const Case each = cases()[k];
    SCOPED_TRACE(each.name);
    EXPECT_EQ(outcome.results[k].analysis, each.name);
    const test::PlainLasso plain(table_of(each));
    const std::vector<Model> models = models_in(outcome.results[k].relations);
    ASSERT_EQ(models.size(), each.settings.lambdas.size());
    for (const Model& model : models) {
      const test::PlainFit expected = plain.fit(model.lambda, true, each.settings.alpha);
      double error = 0, largest = 0;
      for (std::size_t j = 0; j < expected.coefficients.size(); ++j) {
        error = std::max(error, std::fabs(model.coefficients.at(j) - expected.coefficients[j]));
        largest = std::max(largest, std::fabs(expected.coefficients[j]));
      }
      EXPECT_LE(error, 1e-6 * largest) << model.lambda;
      EXPECT_NEAR(model.r_squared, expected.r_squared, 1e-6);
    }
  }
}

TEST_F(Several, TheyShareTheRoundsAndThePlannedExposureCoversThem) {
  std::int64_t longest = 0;
  for (const Case& each : cases()) longest = std::max(longest, run({each}).transcript.rounds);
  const Outcome together = run(cases());
  EXPECT_LE(together.transcript.rounds, longest + 10);
  PlannedStudy study;
  study.attributes = kAttributes;
  study.others = 2;
  study.rows = table_.outcome.size();
  study.problems = 4;
  double exposure = shared_cost(study).exposure;
  for (const Case& each : cases()) exposure += penalised_cost(study, each.attributes.size(), each.settings).exposure;
  EXPECT_LE(together.transcript.exposure, exposure);
  EXPECT_LE(exposure, kMostExposure);
}

// When the columns of one analysis violate a rule, all analyses are refused and no result is opened.
TEST_F(Several, ARuleRefusesThemTogether) {
  std::fill(table_.columns[5].begin(), table_.columns[5].end(), 1.0);
  table_.columns[5][7] = 50;
  rows_ = test::encode_rows(table_);
  const Outcome refused = run({cases()[0], cases()[1]});
  ASSERT_NE(refused.error, nullptr);
  EXPECT_EQ(refused.error->code(), ErrorCode::refused);
  EXPECT_FALSE(refused.transcript.phases.contains(static_cast<std::uint16_t>(Phase::release)) &&
               refused.transcript.phases.at(static_cast<std::uint16_t>(Phase::release)).elements_sent > 0);
}

// One analysis that does not converge ends all of them. No result is opened.
TEST_F(Several, OneWithoutConvergenceEndsAll) {
  std::vector<Case> wanted = cases();
  wanted[1].settings.max_iterations = 2;
  const Outcome ended = run(wanted);
  ASSERT_NE(ended.error, nullptr);
  EXPECT_EQ(ended.error->code(), ErrorCode::not_converged);
  EXPECT_EQ(ended.error->detail().rfind("analysis few, lambda number", 0), 0U);
}

}  // namespace
}  // namespace pgmpc
