// Tests describe on categorical attributes: counts of levels, tables of several levels, what withholds them.
#include <gtest/gtest.h>

#include "analysis/describe/describe.h"
#include "support/describe_harness.h"
#include "support/penalised_request.h"

namespace pgmpc {
namespace {

using nlohmann::json;
using test::ClearColumn;
using test::DescribeOutcome;
using test::withheld;

constexpr std::size_t kPersons = 300;

// age of a, died of b, and two categorical attributes: nyha (I, II, III) of a, region (N, E, S) of b.
struct Patients {
  std::vector<ClearColumn> columns;
  std::map<std::string, std::vector<std::string>> texts;  // also of died

  std::size_t place(const std::string& name) const {
    std::size_t j = 0;
    while (columns.at(j).name != name) ++j;
    return j;
  }
};

Patients patients(const std::function<void(Patients&)>& change = {}) {
  Patients out;
  out.columns = {{"a", "age"},
                 {"a", "nyha:II"},
                 {"a", "nyha:III"},
                 {"b", "died"},
                 {"b", "region:E"},
                 {"b", "region:S"},
                 {"a", "nyha:I", {}, true, true},
                 {"b", "region:N", {}, true, true}};
  test::VectorGenerator generator(21);
  const auto bell = [&generator] { return test::bell(generator); };
  for (std::size_t i = 0; i < kPersons; ++i) {
    const double severity = bell(), where = bell();
    out.columns[0].values.push_back(65 + 10 * bell() + 3 * severity);
    out.texts["nyha"].push_back(severity < -0.2 ? "I" : severity < 0.6 ? "II" : "III");
    out.texts["region"].push_back(where < -0.3 ? "N" : where < 0.4 ? "E" : "S");
    out.texts["died"].push_back(0.4 * severity + bell() > 0.2 ? "1" : "0");
  }
  if (change) change(out);
  for (ClearColumn& column : out.columns) {
    const std::string attribute = test::attribute_of_level(column.name);
    column.two_valued = column.name != "age";
    if (!column.two_valued) continue;
    const std::string level = attribute.empty() ? "1" : column.name.substr(attribute.size() + 1);
    for (const std::string& text : out.texts[attribute.empty() ? column.name : attribute])
      column.values.push_back(text == level ? 1 : 0);
  }
  return out;
}

DescribeSettings tables_by_died() { return test::everything({{"nyha", "region"}, {"died", "nyha"}}, "died"); }

std::int64_t count(const Patients& of, const std::string& a, const std::string& level, const std::string& b,
                   const std::string& other) {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < kPersons; ++i) out += of.texts.at(a)[i] == level && of.texts.at(b)[i] == other;
  return out;
}

TEST(DescribeLevels, AreCountedInTheirOrder) {
  const Patients of = patients();
  const DescribeOutcome outcome =
      test::describe_columns(of.columns, tables_by_died(), Precision::exact, test::design_rules());
  ASSERT_EQ(outcome.error, nullptr) << "the references are no part of the joint design";
  std::vector<std::string> order;
  for (const json& row : outcome.rows("describe")) {
    SCOPED_TRACE(row.dump());
    const std::string attribute = row.at("attribute");
    if (attribute == "age") continue;
    const std::string level = row.at("level");
    const bool by = !row.at("by_level").is_null();
    if (!by && attribute != "died") order.push_back(level);
    const std::int64_t expected =
        by ? count(of, attribute, level, "died", row.at("by_level")) : count(of, attribute, level, attribute, level);
    EXPECT_EQ(row.at("n"), expected);
    const std::int64_t records = by ? count(of, "died", row.at("by_level"), "died", row.at("by_level")) : kPersons;
    EXPECT_DOUBLE_EQ(row.at("share"), static_cast<double>(expected) / static_cast<double>(records));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"I", "II", "III", "N", "E", "S"}));
  ASSERT_EQ(outcome.rows("crosstab").size(), 9U + 6);
  for (const json& row : outcome.rows("crosstab"))
    EXPECT_EQ(row.at("n"), count(of, row.at("row_attribute"), row.at("row_level"), row.at("column_attribute"),
                                 row.at("column_level")));
  // Levels have no correlations: those of age and died remain.
  EXPECT_EQ(outcome.rows("correlation").size(), 1U);
}

// The groups are the levels of an attribute: numbers and counts of each.
TEST(DescribeLevels, FormGroups) {
  const Patients of = patients();
  DescribeSettings settings;
  settings.by = "region";
  const DescribeOutcome outcome = test::describe_columns(of.columns, settings, Precision::exact, test::design_rules());
  ASSERT_EQ(outcome.error, nullptr);
  std::vector<std::string> groups;
  for (const json& row : outcome.rows("describe")) {
    if (row.at("by_level").is_null()) continue;
    SCOPED_TRACE(row.dump());
    const std::string level = row.at("by_level");
    EXPECT_EQ(row.at("by_attribute"), "region");
    EXPECT_FALSE(row.at("withheld").get<bool>());
    if (row.at("attribute") == "nyha") {
      EXPECT_EQ(row.at("n"), count(of, "nyha", row.at("level"), "region", level));
      EXPECT_DOUBLE_EQ(row.at("share").get<double>() * static_cast<double>(count(of, "region", level, "region", level)),
                       row.at("n").get<double>());
      continue;
    }
    ASSERT_EQ(row.at("attribute"), "age") << "died is of the same party";
    groups.push_back(level);
    std::vector<double> values;
    for (std::size_t i = 0; i < kPersons; ++i)
      if (of.texts.at("region")[i] == level) values.push_back(of.columns[0].values[i]);
    EXPECT_EQ(row.at("n"), values.size());
    EXPECT_NEAR(row.at("mean").get<double>(), test::mean_of(values), 1e-7 * test::sd_of(values));
    EXPECT_NEAR(row.at("sd").get<double>(), test::sd_of(values), 1e-7 * test::sd_of(values));
  }
  EXPECT_EQ(groups, (std::vector<std::string>{"N", "E", "S"}));
}

// One record that dominates within one of three groups withholds all numbers by group, and nothing else.
TEST(DescribeLevels, DominanceWithinAGroupWithholdsAllByGroup) {
  for (const double outlier : {65.0, 195.0}) {
    Patients of = patients();
    std::size_t person = 0;
    while (of.texts["region"][person] != "S") ++person;
    of.columns[0].values[person] = outlier;
    DescribeSettings settings;
    settings.by = "region";
    const DescribeOutcome outcome = test::describe_columns(of.columns, settings);
    ASSERT_EQ(outcome.error, nullptr);
    EXPECT_EQ(withheld(outcome, "age", true), outlier > 100);
    EXPECT_FALSE(withheld(outcome, "age", false));
    EXPECT_FALSE(withheld(outcome, "nyha", true));
  }
}

// The columns of all levels add up to 1. With the references among the attributes of the joint design, no study would pass.
TEST(DescribeLevels, ReferencesInTheDesignWouldRefuse) {
  std::vector<ClearColumn> columns = patients().columns;
  for (ClearColumn& column : columns) column.reference = false;
  DescribeSettings plain;
  EXPECT_NE(test::describe_columns(columns, plain, Precision::exact, test::design_rules()).error, nullptr);
}

// Whichever level is rare: also the reference, without which the others nearly add up to 1.
TEST(DescribeLevels, ARareLevelWithholdsItsAttribute) {
  for (const auto& [level, other] : {std::pair("III", "II"), {"I", "II"}, {"II", "III"}})
    for (const std::size_t rare : {0U, 1U, 6U}) {
      SCOPED_TRACE(level);
      const Patients of = patients([&, level = level, other = other](Patients& change) {
        std::size_t seen = 0;
        for (std::string& text : change.texts["nyha"])
          if (text == level && ++seen > rare) text = other;
      });
      RowRules rules = test::design_rules();
      rules.min_level_count = 10;
      const DescribeOutcome outcome =
          test::describe_columns(of.columns, tables_by_died(), Precision::statistical, rules);
      ASSERT_EQ(outcome.error, nullptr);
      EXPECT_TRUE(withheld(outcome, "nyha", false)) << rare;
      EXPECT_TRUE(withheld(outcome, "nyha", true)) << rare;
      EXPECT_FALSE(withheld(outcome, "region", false));
      EXPECT_FALSE(withheld(outcome, "died", false));
      for (const json& row : outcome.rows("crosstab")) EXPECT_TRUE(row.at("withheld").get<bool>());
      for (const json& row : outcome.rows("describe"))
        EXPECT_EQ(row.at("n").is_null(), row.at("attribute") == "nyha") << row.dump();
    }
}

// A model has no column of the reference, but it tells how many records have it.
TEST(DescribeLevels, ARareReferenceRefusesAModel) {
  for (const std::size_t rare : {6U, 60U}) {
    const Patients of = patients([&](Patients& change) {
      std::size_t seen = 0;
      for (std::string& text : change.texts["nyha"])
        if (text == "I" && ++seen > rare) text = "II";
    });
    AnalysisTask model;
    model.name = "model";
    model.analysis = make_penalised({.lambdas = {0.5}});
    // With nyha:III the rule for pairs would see it: two columns of three levels agree where the third one is.
    model.columns.attributes = {of.place("age"), of.place("nyha:II")};
    model.columns.outcome = of.place("died");
    for (const std::size_t j : model.columns.attributes) model.columns.names.push_back({"a", of.columns[j].name});
    model.columns.left_out = {of.place("nyha:I")};
    RowRules rules;
    rules.min_level_count = 10;
    const DescribeOutcome outcome =
        test::describe_columns(of.columns, {}, Precision::statistical, rules, 0, 7, {model});
    EXPECT_EQ(outcome.error != nullptr, rare < 10) << rare;
  }
}

TEST(DescribeLevels, NumbersAreThoseOfTheRows) {
  const Patients of = patients();
  const AnalysisColumns columns = test::columns_named(of.columns);
  const auto describe = make_describe(tables_by_died());
  // age 2 and died 2 numbers, six levels; by died: age 4, nyha 6; tables of 9 and 6 cells; one correlation.
  EXPECT_EQ(describe->models() * describe->numbers_of_model(columns), 2 + 2 + 6 + 4 + 6 + 9 + 6 + 1);
  EXPECT_EQ(describe->free_numbers(columns), 2 + 2 + 6);
}

TEST(DescribeLevels, PlannedExposureCoversThem) {
  const Patients of = patients();
  PlannedStudy study;
  study.attributes = 6;
  study.others = 2;
  study.rows = kPersons;
  study.precision = Precision::statistical;
  DescribeSettings settings = tables_by_died();
  settings.by = "region";
  const Cost own = describe_cost(study, test::columns_named(of.columns), settings), shared = shared_cost(study);
  const DescribeOutcome outcome = test::describe_columns(of.columns, settings, Precision::statistical, study.rules);
  ASSERT_EQ(outcome.error, nullptr);
  EXPECT_LE(outcome.transcripts[0].exposure, own.exposure + shared.exposure);
}

TEST(DescribeLevels, ResultsOfPeersHaveTheDeclaredLevels) {
  const Patients of = patients();
  const AnalysisColumns columns = test::columns_named(of.columns);
  const auto describe = make_describe(tables_by_died());
  const DescribeOutcome outcome = test::describe_columns(of.columns, tables_by_died());
  Relations relations = outcome.results.at(0).relations;
  EXPECT_TRUE(describe->accepts(relations, columns, kPersons));
  for (json& row : relations.at(0).rows)
    if (row.at("level") == "III") row["level"] = "IV";
  EXPECT_FALSE(describe->accepts(relations, columns, kPersons));
}

}  // namespace
}  // namespace pgmpc
