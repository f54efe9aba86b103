// Tests what a refused match tells, and what a study about a handful of persons would tell (rule F7; disclosure rules
// min_matched and max_parameter_ratio).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/mutants.h"
#include "protocol/protocol.h"
#include "support/study_harness.h"

namespace pgmpc {
namespace {

using test::Records;
using test::StudyHarness;

// With 0, 1 or 39 matched records and a minimum of 40, all messages have the same sizes and only the refusal is learned
// (rule F7).
TEST(Study, BelowTheMinimumEverybodyLearnsOnlyTheRefusal) {
  auto message_sizes = [](std::size_t common) {
    Records a{{"x"}, {}, {{}}, {}}, b{{"y"}, {}, {{}}, {}};
    for (int i = 0; i < 50; ++i) {
      a.identifiers.push_back("a" + std::to_string(i));
      a.columns[0].push_back(i * 0.5);
      b.identifiers.push_back((static_cast<std::size_t>(i) < common ? "a" : "b") + std::to_string(i));
      b.columns[0].push_back(i * 0.25);
    }
    StudyHarness h(R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": "y"}},
                       "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 1},
                       "disclosure": {"min_matched": 40}})",
                   a, b, true);
    EXPECT_THROW(h.run(), Error);
    for (int party = 0; party < kParties; ++party) {
      EXPECT_EQ(h.failures[party]->code(), ErrorCode::refused) << party;
      EXPECT_EQ(h.observers[party].match_count, -1) << "the count appears nowhere";
      for (const StepRow& row : h.observers[party].rows) EXPECT_NE(row.name, "match");
    }
    std::vector<std::tuple<int, int, int, std::size_t>> out;  // sender, receiver, step and size of each message
    for (const RecordedMessage& m : h.network().recording()) out.emplace_back(m.from, m.to, m.step, m.bytes.size());
    std::sort(out.begin(), out.end());
    return out;
  };
  const auto none = message_sizes(0), one = message_sizes(1), almost = message_sizes(39);
  EXPECT_EQ(none, one);
  EXPECT_EQ(none, almost);
}

// Two columns whose values at three persons are orthogonal. A model without a penalty goes through every record, so it
// tells the outcome of each person. All other records of the attacker are invented.
const std::vector<std::vector<double>> kChosen = {{1, 0, -1}, {1, -2, 1}};
const std::vector<double> kOutcomes = {2.5, 17, -6};

// Runs the study with this rule alone and returns it. All three persons match.
std::unique_ptr<StudyHarness> handful(const std::string& rule) {
  Records a{{"x0", "x1"}, {}, {{}, {}}, {}}, b{{"y"}, {}, {{}}, {}};
  for (std::size_t i = 0; i < 60; ++i) {
    const bool person = i < kOutcomes.size();
    a.identifiers.push_back((person ? "p" : "a") + std::to_string(i));
    b.identifiers.push_back((person ? "p" : "b") + std::to_string(i));
    for (std::size_t j = 0; j < 2; ++j)
      a.columns[j].push_back(person ? kChosen[j][i] : std::sin(static_cast<double>(i)));
    b.columns[0].push_back(person ? kOutcomes[i] : 10 * std::cos(static_cast<double>(i)));
  }
  auto h = std::make_unique<StudyHarness>(
      R"({"controllers": {"a": {"attributes": ["x0", "x1"]}, "b": {"attributes": [], "outcome": "y"}},
          "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0, "standardize": false},
          "release": {"precision": "exact"}, "disclosure": {"min_level_count": 0, "max_dominance": 1, "max_leverage": 1,
          "max_vif": null, )" +
          rule + "}}",
      a, b);
  try {
    h->run();
  } catch (const Error&) {
  }
  return h;
}

// Each of the rules is on alone. Without what enforces it, the count is told and the model names three outcomes.
TEST(Study, WithoutTheMinimumAModelTellsTheOutcomesOfAHandful) {
  const char* rules[] = {R"("min_matched": 40, "max_parameter_ratio": 1, "max_columns": 1000)",
                         R"("min_matched": 1, "max_parameter_ratio": 0.1, "max_columns": 1000)",
                         R"("min_matched": 1, "max_parameter_ratio": 1)"};
  for (const char* rule : rules) {
    SCOPED_TRACE(rule);
    const auto refused = handful(rule);
    for (int party = 0; party < kParties; ++party) {
      ASSERT_TRUE(refused->failures[party]);
      EXPECT_EQ(refused->failures[party]->code(), ErrorCode::refused);
      EXPECT_EQ(refused->observers[party].match_count, -1);
      EXPECT_TRUE(refused->results[party].coefficients.empty());
    }
    active_mutant = Mutant::announces_any_count;
    const auto told = handful(rule);
    active_mutant = Mutant::none;
    EXPECT_EQ(told->observers[0].match_count, 3);
    ASSERT_EQ(told->results[0].coefficients.size(), 3U) << (told->failures[0] ? told->failures[0]->message() : "");
    const auto& model = told->results[0].coefficients;
    for (std::size_t i = 0; i < kOutcomes.size(); ++i)
      EXPECT_NEAR(model[2].value + model[0].value * kChosen[0][i] + model[1].value * kChosen[1][i], kOutcomes[i], 1e-3);
  }
}

}  // namespace
}  // namespace pgmpc
