// Tests the text of a refusal by a disclosure rule and who gets it, and the rule about released numbers.
#include "study/disclosure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "study/explain.h"
#include "study/explain_estimate.h"
#include "support/study_harness.h"

namespace pgmpc {
namespace {

using test::Records;
using test::StudyHarness;

std::string spec_text(const std::string& rules) {
  return R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": "y"}},
    "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0.1}, "disclosure": {)" +
         rules + "}}";
}

// Returns the text of the refusal, which must be the same at all three parties.
std::string told(StudyHarness& h) {
  EXPECT_THROW(h.run(), Error);
  std::string first;
  for (int party = 0; party < kParties; ++party) {
    const Error& error = *h.failures[party];
    EXPECT_EQ(error.code(), ErrorCode::refused);
    const std::string text = error.message() + "\n" + error.detail() + "\n" + error.hint();
    if (party == 0) first = text;
    EXPECT_EQ(text, first) << party;
  }
  return first;
}

Records records(const std::string& column, int count, int common) {
  Records r{{column}, {}, {{}}, {}};
  for (int i = 0; i < count; ++i) {
    r.identifiers.push_back((i < common ? "p" : column) + std::to_string(i));
    r.columns[0].push_back(std::sin(i * 1.7) * 3 + i % 7);
  }
  return r;
}

// Causes: too few matches, an outlier in the outcome, one in an attribute, an outcome that does not vary.
TEST(DisclosureText, IsTheSameForEveryCauseAtEveryParty) {
  const std::string spec = spec_text(R"("min_matched": 50)");
  Records outlier = records("y", 60, 60), constant = outlier, attribute = records("x", 60, 60);
  outlier.columns[0][7] = 1e5;
  attribute.columns[0][9] = -4000;
  for (double& y : constant.columns[0]) y = 2;
  StudyHarness few(spec, records("x", 60, 49), records("y", 60, 49)), first(spec, records("x", 60, 60), outlier),
      second(spec, attribute, records("y", 60, 60)), third(spec, records("x", 60, 60), constant);
  const std::string text = told(few);
  EXPECT_EQ(text, told(first));
  EXPECT_EQ(text, told(second));
  EXPECT_EQ(text, told(third));
  for (const char* part : {"min_matched 50, ", "max_parameter_ratio 0.1, ", "min_level_count 10, ",
                           "max_dominance 0.5, ", "model_budget 100, ", "min_cohort_change 10, ", "min_lambda off",
                           "At least 50 records", "all three parties approve", "(pg_mpc.*)"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  StudyHarness ordinary(spec, records("x", 60, 60), records("y", 60, 60));
  EXPECT_NO_THROW(ordinary.run());
}

TEST(DisclosureText, RelaxedRulesAreCalledSo) {
  const auto relaxed = [](const std::string& rules) {
    std::string keys;
    for (const ExplainRow& row : explain(parse_spec(spec_text(rules)), 0))
      if (row.name.rfind("rule: ", 0) == 0 && row.learns.rfind("relaxed: ", 0) == 0) keys += row.name.substr(6) + " ";
    return keys;
  };
  EXPECT_EQ(relaxed(""), "");
  EXPECT_EQ(relaxed(R"("min_matched": 99, "max_parameter_ratio": 0.2, "min_level_count": 9, "max_dominance": 0.6,
                       "model_budget": 101, "min_cohort_change": 9, "max_leverage": 0.5, "max_vif": 201,
                       "max_columns": 20, "versions": 4, "released_numbers": 20, "own_moments": true)"),
            "min_matched max_parameter_ratio min_level_count max_dominance model_budget min_cohort_change "
            "max_leverage max_vif max_columns versions released_numbers own_moments ");
  EXPECT_EQ(relaxed(R"("max_vif": null)"), "max_vif ");
  EXPECT_EQ(relaxed(R"("min_matched": 101, "max_parameter_ratio": 0.05, "min_level_count": 11, "max_dominance": 0.4,
                       "model_budget": 99, "min_cohort_change": 11, "min_lambda": 0.1, "max_leverage": 0.3,
                       "max_vif": 50, "max_columns": 5, "versions": 2, "released_numbers": 5)"),
            "");
  std::string exact;
  for (const DisclosureRule& rule : disclosure_rules(parse_spec(
           R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": "y"}}, "third_party": "t",
               "analysis": {"lambda": 0.1}, "release": {"precision": "exact"}})")))
    if (rule.relaxed) exact += rule.key;
  EXPECT_EQ(exact, "release.precision");
}

TEST(DisclosureText, EveryRuleOfTheSpecIsListed) {
  const Spec spec = parse_spec(spec_text(""));
  std::vector<std::string> keys;
  for (const DisclosureRule& rule : disclosure_rules(spec))
    if (rule.key != "release.precision") keys.push_back(rule.key);
  std::sort(keys.begin(), keys.end());
  const std::string& text = spec.canonical_json;
  const std::size_t begin = text.find("\"disclosure\":{") + 14, end = text.find('}', begin);
  std::size_t named = 0;
  for (const std::string& key : keys)
    named += text.substr(begin, end - begin).find("\"" + key + "\":") != std::string::npos;
  EXPECT_EQ(named, keys.size());
  EXPECT_EQ(std::count(text.begin() + static_cast<std::ptrdiff_t>(begin),
                       text.begin() + static_cast<std::ptrdiff_t>(end), ':'),
            static_cast<std::ptrdiff_t>(keys.size()));
}

TEST(ReleasedNumbers, BeyondTheFirstModelATenthOfTheMatchedRecords) {
  const Spec spec = parse_spec(spec_text(R"("min_matched": 100)"));
  EXPECT_NO_THROW(check_released_numbers(spec, 1000, {0, 100}));
  EXPECT_NO_THROW(check_released_numbers(spec, 1000, {60, 40}));
  EXPECT_NO_THROW(check_released_numbers(spec, 1000, {5000, 0}));  // only first models of a controller's outcomes
  for (const ReleasedNumbers& more : {ReleasedNumbers{0, 101}, ReleasedNumbers{61, 40}, ReleasedNumbers{100, 1}}) {
    try {
      check_released_numbers(spec, 1000, more);
      ADD_FAILURE() << more.before << " and " << more.study;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::refused);
      EXPECT_EQ(error.message(), disclosure_refusal(spec).message());
      EXPECT_EQ(error.detail(), disclosure_refusal(spec).detail());
    }
  }
  EXPECT_THROW(check_released_numbers(spec, 600, {0, 61}), Error);
  EXPECT_NO_THROW(check_released_numbers(spec, 5000, {60, 40}));
  EXPECT_THROW(check_released_numbers(spec, 5000, {60, 41}), Error);  // at most 100, however many matched
  const Spec agreed = parse_spec(spec_text(R"("released_numbers": 500)"));
  EXPECT_NO_THROW(check_released_numbers(agreed, 1000, {300, 200}));
  EXPECT_THROW(check_released_numbers(agreed, 100000, {300, 201}), Error);
}

// A study that counts too many numbers whatever the match is refused when it is proposed.
TEST(ReleasedNumbers, WhatNeverFitsIsRefusedAtTheProposal) {
  const auto with_lambdas = [](int count, const std::string& rest) {
    std::string lambdas;
    for (int i = 1; i <= count; ++i) lambdas += (i == 1 ? "" : ", ") + std::to_string(i);
    return parse_spec(
        R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": ["z"], "outcome": "y"}},
            "third_party": "t", "analysis": {"lambda": [)" +
        lambdas + "]}" + rest + "}");
  };
  // A model has four numbers, and the first one is free.
  EXPECT_EQ(charged_numbers(with_lambdas(26, ""), {}), 100);
  EXPECT_EQ(charged_numbers(with_lambdas(26, ""), {"b"}), 104);
  EXPECT_EQ(charged_numbers(with_lambdas(26, ""), {"a", "(describe)"}), 100);
  EXPECT_NO_THROW(require_feasible(with_lambdas(26, "")));
  EXPECT_THROW(require_feasible(with_lambdas(27, "")), Error);
  EXPECT_NO_THROW(require_feasible(with_lambdas(27, R"(, "disclosure": {"released_numbers": 104})")));
  EXPECT_THROW(require_feasible(with_lambdas(8, R"(, "release": {"precision": "exact"})")), Error);
}

TEST(ReleasedNumbers, OfAFirstDescribeTwoPerAttributeAreFree) {
  const Spec spec = parse_spec(
      R"({"controllers": {"a": {"attributes": ["x", "f"]}, "b": {"attributes": ["g"]}}, "third_party": "t",
          "analysis": {"kind": "describe", "correlation": true, "tables": [["f", "g"]]}})");
  EXPECT_EQ(charged_numbers(spec, {"(describe)"}), 6 + 2 + 4);
  EXPECT_EQ(charged_numbers(spec, {}), 2 + 4);  // correlations of x and f with g, and four cells
}

}  // namespace
}  // namespace pgmpc
