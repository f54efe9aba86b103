// Tests the attack data of support/disclosure_data.h: the attacks work in the clear, and the level rule refuses those
// that it should. Otherwise tests in which the engine refuses these sets would prove nothing.
#include "support/disclosure_data.h"

#include <gtest/gtest.h>

namespace pgmpc::test {
namespace {

double error_of_the_mean(const DisclosureData& data) {
  double sum = 0;
  for (const double y : data.table.outcome) sum += y;
  return std::fabs(sum / static_cast<double>(data.table.outcome.size()) - data.table.outcome[data.target]);
}

// Gives the target an extreme outcome. A guess is then far off, but the prediction of the model is not.
DisclosureData with_target_outcome(DisclosureData data, double outcome) {
  data.table.outcome[data.target] = outcome;
  return data;
}

TEST(DisclosureData, SmallLambdaGivesTheTargetAway) {
  for (const auto& make : {pair_of_groups, three_groups, one_person_flag, everybody_else}) {
    const DisclosureData data = with_target_outcome(make(), 12);
    EXPECT_GT(error_of_the_mean(data), 5) << data.name;
    EXPECT_LT(target_error(data, 1e-4), 0.1) << data.name;
  }
}

TEST(DisclosureData, AFloorOnLambdaProtectsTheTarget) {
  for (const auto& make : {pair_of_groups, three_groups, one_person_flag, everybody_else}) {
    const DisclosureData data = with_target_outcome(make(), 12);
    // lambda: 3 standard deviations of the outcome over the square root of the number of records
    double sum = 0, squares = 0;
    const auto n = static_cast<double>(data.table.outcome.size());
    for (const double y : data.table.outcome) sum += y, squares += y * y;
    const double sd = std::sqrt(squares / n - sum * sum / n / n);
    EXPECT_GT(target_error(data, 3 * sd / std::sqrt(n)), 3) << data.name;
  }
}

TEST(DisclosureData, LevelRuleSeesWhatItShould) {
  for (const DisclosureData& data : disclosure_data()) {
    EXPECT_EQ(passes_level_rule(data, 10), !data.caught) << data.name;
    EXPECT_TRUE(data.attack || !data.caught) << data.name;
  }
}

TEST(DisclosureData, AConstantOutcomeIsTheIntercept) {
  const PlainFit fit = PlainLasso(constant_outcome().table).fit(0.1, true);
  EXPECT_EQ(fit.intercept, 7);
  EXPECT_EQ(fit.nonzero(), 0);
}

}  // namespace
}  // namespace pgmpc::test
