// Tests describe: its numbers against the clear ones, rounding, withheld tables, refusals, and what its messages depend on.
#include "analysis/describe/describe.h"

#include <gtest/gtest.h>

#include "analysis/describe/relations.h"
#include "support/describe_harness.h"

namespace pgmpc {
namespace {

using nlohmann::json;
using test::ClearColumn;
using test::DescribeOutcome;
using test::withheld;

constexpr std::size_t kRecords = 400;

// Three numeric and three two-valued columns of two parties. The flags have other codes than 0 and 1, too.
std::vector<ClearColumn> hospital_and_insurer(std::uint64_t seed = 5) {
  test::VectorGenerator generator(seed);
  const auto bell = [&generator] { return test::bell(generator); };
  std::vector<ClearColumn> out = {{"a", "age", {}, false},   {"a", "sbp", {}, false}, {"a", "sex", {}, true},
                                  {"b", "costs", {}, false}, {"b", "died", {}, true}, {"b", "urban", {}, true}};
  for (std::size_t i = 0; i < kRecords; ++i) {
    const double age = 60 + 12 * bell(), sex = bell() > 0.2 ? 2 : 1, died = bell() + 0.03 * (age - 60) > 0.8 ? 1 : 0;
    out[0].values.push_back(age);
    out[1].values.push_back(120 + 0.5 * age + 15 * bell());
    out[2].values.push_back(sex);
    out[3].values.push_back(1e4 + 3e3 * bell() + 2e3 * died);
    out[4].values.push_back(died);
    out[5].values.push_back(bell() + 0.4 * sex > 0.5 ? 7.5 : -3);
  }
  return out;
}

DescribeSettings everything() { return test::everything({{"sex", "died"}, {"urban", "sex"}}, "died"); }

const ClearColumn& column_of(const std::vector<ClearColumn>& columns, const std::string& name) {
  for (const ClearColumn& column : columns)
    if (column.name == name) return column;
  throw std::out_of_range(name);
}

bool level_of(const json& value) { return value == "1"; }

std::int64_t count_of(const ClearColumn& a, bool level, const ClearColumn& b, bool other) {
  const double high_a = *std::max_element(a.values.begin(), a.values.end()),
               high_b = *std::max_element(b.values.begin(), b.values.end());
  std::int64_t out = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    out += (a.values[i] == high_a) == level && (b.values[i] == high_b) == other;
  return out;
}

bool table_withheld(const DescribeOutcome& outcome, int tab) {
  return withheld(outcome, "crosstab", [&](const json& row) { return row.at("tab") == tab; });
}

TEST(Describe, ReleasesWhatTheClearColumnsHave) {
  const std::vector<ClearColumn> columns = hospital_and_insurer();
  const DescribeOutcome outcome = test::describe_columns(columns, everything());
  ASSERT_EQ(outcome.error, nullptr);
  // Six attributes: three numeric with one row, three two-valued with two. By died: two of a.
  ASSERT_EQ(outcome.rows("describe").size(), 3U + 6 + 2 * 2 + 4);
  const ClearColumn& died = column_of(columns, "died");
  for (const json& row : outcome.rows("describe")) {
    SCOPED_TRACE(row.dump());
    const ClearColumn& column = column_of(columns, row.at("attribute"));
    EXPECT_EQ(row.at("party"), column.party);
    EXPECT_FALSE(row.at("withheld").get<bool>());
    const bool by = !row.at("by_level").is_null();
    if (by) {
      EXPECT_EQ(column.party, "a");  // died is of b: no second moments of one party
    }
    const std::vector<double> values = by ? test::in_group(column, died, level_of(row.at("by_level"))) : column.values;
    if (column.two_valued) {
      const bool level = level_of(row.at("level"));
      const auto expected =
          by ? count_of(column, level, died, level_of(row.at("by_level"))) : count_of(column, level, column, level);
      EXPECT_EQ(row.at("n"), expected);
      EXPECT_DOUBLE_EQ(row.at("share"), static_cast<double>(expected) / static_cast<double>(values.size()));
      EXPECT_TRUE(row.at("mean").is_null());
    } else {
      EXPECT_EQ(row.at("n"), values.size());
      EXPECT_NEAR(row.at("mean").get<double>(), test::mean_of(values), 1e-7 * test::sd_of(values));
      EXPECT_NEAR(row.at("sd").get<double>(), test::sd_of(values), 1e-7 * test::sd_of(values));
      EXPECT_TRUE(row.at("share").is_null());
    }
  }
  ASSERT_EQ(outcome.rows("crosstab").size(), 8U);
  for (const json& row : outcome.rows("crosstab"))
    EXPECT_EQ(row.at("n"), count_of(column_of(columns, row.at("row_attribute")), level_of(row.at("row_level")),
                                    column_of(columns, row.at("column_attribute")), level_of(row.at("column_level"))));
  ASSERT_EQ(outcome.rows("correlation").size(), 9U);  // 3 x 3: between the parties only
  for (const json& row : outcome.rows("correlation")) {
    EXPECT_NE(row.at("party_a"), row.at("party_b"));
    EXPECT_NEAR(row.at("r").get<double>(),
                test::correlation_of(column_of(columns, row.at("attribute_a")).values,
                                     column_of(columns, row.at("attribute_b")).values),
                1e-8);
  }
}

TEST(Describe, OwnMomentsAddPairsOfOneParty) {
  DescribeSettings settings = everything();
  settings.own_moments = true;
  const std::vector<ClearColumn> columns = hospital_and_insurer();
  const DescribeOutcome outcome = test::describe_columns(columns, settings);
  EXPECT_EQ(outcome.rows("correlation").size(), 15U);
  EXPECT_EQ(outcome.rows("describe").size(), 3U + 6 + 3 * 2 + 2 * 4);
  const auto describe = make_describe(settings);
  // Of a: 3 correlations. Of b: 3, and costs and urban by died with 4 numbers each.
  EXPECT_EQ(describe->own_moments(test::columns_named(columns)), 3 + 3 + 8);
  EXPECT_EQ(make_describe(everything())->own_moments(test::columns_named(columns)), 0);
}

// The grid is the largest power of two that is at most an eighth of the standard error. A value close to the border may
// have the next smaller one.
void expect_rounded(const json& value, const json& grid, double exact, double error, double part) {
  const double step = grid.get<double>(), rounded = value.get<double>();
  EXPECT_EQ(std::exp2(std::round(std::log2(step))), step);
  EXPECT_LE(step, error * part * (1 + 1e-6));
  EXPECT_GT(step, error * part / 2 * (1 - 1e-6));
  EXPECT_EQ(std::round(rounded / step) * step, rounded);
  EXPECT_LE(std::fabs(rounded - exact), step / 2 * (1 + 1e-3));
}

TEST(Describe, RoundsToAPartOfTheStandardError) {
  const std::vector<ClearColumn> columns = hospital_and_insurer();
  const ClearColumn& died = column_of(columns, "died");
  for (const Precision precision : {Precision::statistical, Precision::coarse}) {
    const double part = precision == Precision::statistical ? 1.0 / 8 : 1.0 / 2;
    const std::int64_t step = precision == Precision::statistical ? 5 : 20;
    const DescribeOutcome outcome = test::describe_columns(columns, everything(), precision);
    for (const json& row : outcome.rows("describe")) {
      SCOPED_TRACE(row.dump());
      const ClearColumn& column = column_of(columns, row.at("attribute"));
      const bool by = !row.at("by_level").is_null();
      const std::vector<double> values =
          by ? test::in_group(column, died, level_of(row.at("by_level"))) : column.values;
      if (column.two_valued) {
        const bool level = level_of(row.at("level"));
        const auto exact =
            by ? count_of(column, level, died, level_of(row.at("by_level"))) : count_of(column, level, column, level);
        EXPECT_EQ(row.at("n"), (exact + step / 2) / step * step);
        continue;
      }
      const double error = test::sd_of(values) / std::sqrt(static_cast<double>(values.size()));
      expect_rounded(row.at("mean"), row.at("mean_grid"), test::mean_of(values), error, part);
      expect_rounded(row.at("sd"), row.at("sd_grid"), test::sd_of(values), error / std::sqrt(2.0), part);
    }
    for (const json& row : outcome.rows("correlation"))
      if (!row.at("grid").is_null())
        expect_rounded(row.at("r"), row.at("grid"),
                       test::correlation_of(column_of(columns, row.at("attribute_a")).values,
                                            column_of(columns, row.at("attribute_b")).values),
                       1 / std::sqrt(static_cast<double>(kRecords)), part);
  }
}

// Sets a flag so that `both` of its `count` records have the higher value of `of`.
void set_flag(ClearColumn& flag, const ClearColumn& of, std::size_t count, std::size_t both) {
  const double high = *std::max_element(of.values.begin(), of.values.end());
  std::size_t with = both, without = count - both;
  for (std::size_t i = 0; i < flag.values.size(); ++i) {
    std::size_t& left = of.values[i] == high ? with : without;
    flag.values[i] = left > 0 ? 1 : 0;
    left -= left > 0 ? 1 : 0;
  }
}

TEST(Describe, ARareFlagWithholdsItsTablesOnly) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  set_flag(columns[2], columns[4], 9, 4);  // sex
  const DescribeOutcome outcome = test::describe_columns(columns, everything());
  ASSERT_EQ(outcome.error, nullptr);
  EXPECT_TRUE(withheld(outcome, "sex", false));
  EXPECT_TRUE(withheld(outcome, "sex", true));
  EXPECT_TRUE(table_withheld(outcome, 1));
  EXPECT_TRUE(table_withheld(outcome, 2));
  for (const char* name : {"age", "sbp", "costs", "died", "urban"})
    EXPECT_FALSE(withheld(outcome, name, false)) << name;
  EXPECT_FALSE(withheld(outcome, "age", true));
  for (const json& row : outcome.rows("describe")) {
    if (!row.at("withheld").get<bool>()) continue;
    for (const char* key : {"n", "mean", "sd", "share"}) EXPECT_TRUE(row.at(key).is_null()) << row.dump();
  }
  for (const json& row : outcome.rows("correlation"))
    EXPECT_EQ(row.at("withheld").get<bool>(), row.at("attribute_a") == "sex") << row.dump();
}

// A cell without records is a small one, too. Otherwise a flag of one person of interest and of persons whose value is
// known would tell that person's value: withheld or not.
TEST(Describe, ATableWithASmallCellIsWithheld) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  for (const std::size_t small : {std::size_t{0}, std::size_t{1}, std::size_t{9}}) {
    set_flag(columns[2], columns[4], 100, small);
    const DescribeOutcome outcome = test::describe_columns(columns, everything());
    EXPECT_TRUE(table_withheld(outcome, 1)) << small;
    EXPECT_TRUE(withheld(outcome, "sex", true)) << small;
    EXPECT_FALSE(withheld(outcome, "sex", false)) << small;
    EXPECT_FALSE(withheld(outcome, "age", true)) << small;
  }
  set_flag(columns[2], columns[4], 100, 10);
  const DescribeOutcome outcome = test::describe_columns(columns, everything());
  EXPECT_FALSE(table_withheld(outcome, 1));
  for (const json& row : outcome.rows("crosstab"))
    if (row.at("tab") == 1 && row.at("row_level") == "1" && row.at("column_level") == "1") {
      EXPECT_EQ(row.at("n"), 10);
    }
  set_flag(columns[2], columns[4], 100, 9);
  const WithMutant mutant(Mutant::no_cell_rule);
  EXPECT_FALSE(table_withheld(test::describe_columns(columns, everything()), 1));
}

// With the levels, r of two flags would tell the cells of their table before rounding.
TEST(Describe, ACorrelationOfFlagsFollowsFromRoundedCells) {
  const std::vector<ClearColumn> columns = hospital_and_insurer();
  DescribeSettings settings;
  settings.correlation = true;
  settings.tables = {{"sex", "died"}};
  const DescribeOutcome outcome = test::describe_columns(columns, settings, Precision::statistical);
  std::vector<double> n;
  for (const json& row : outcome.rows("crosstab")) n.push_back(row.at("n"));
  const double phi =
      (n[0] * n[3] - n[1] * n[2]) / std::sqrt((n[0] + n[1]) * (n[2] + n[3]) * (n[0] + n[2]) * (n[1] + n[3]));
  for (const json& row : outcome.rows("correlation"))
    if (row.at("attribute_a") == "sex" && row.at("attribute_b") == "died") {
      EXPECT_DOUBLE_EQ(row.at("r"), phi);
      EXPECT_NEAR(phi, test::correlation_of(columns[2].values, columns[4].values), 0.05);
    }
}

// With its levels, a correlation of two flags tells their cross-table. So it is withheld where that is.
TEST(Describe, ACorrelationOfFlagsIsWithheldLikeTheirTable) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  const auto pair = [](const char* a, const char* b) {
    return [=](const json& row) { return row.at("attribute_a") == a && row.at("attribute_b") == b; };
  };
  set_flag(columns[2], columns[4], 100, 9);
  const DescribeOutcome small = test::describe_columns(columns, everything());
  EXPECT_TRUE(withheld(small, "correlation", pair("sex", "died")));
  EXPECT_FALSE(withheld(small, "correlation", pair("sex", "costs")));
  EXPECT_FALSE(withheld(small, "correlation", pair("age", "died")));
  set_flag(columns[2], columns[4], 100, 10);
  EXPECT_FALSE(withheld(test::describe_columns(columns, everything()), "correlation", pair("sex", "died")));
}

// A flag of less than 1/4096 of the records has no reciprocal root, and thus no correlations: they are not shown as 0.
TEST(Describe, AFlagOfVeryFewRecordsHasNoCorrelations) {
  constexpr std::size_t kMany = 50000;
  std::vector<ClearColumn> columns = {{"a", "x", {}, false}, {"b", "few", {}, true}, {"b", "some", {}, true}};
  for (std::size_t i = 0; i < kMany; ++i) {
    const double few = i < 11 ? 1 : 0;
    columns[0].values.push_back(static_cast<double>(i * 7919 % 1000) / 300 + 3 * few);
    columns[1].values.push_back(few);
    columns[2].values.push_back(i % 1000 == 7 ? 1 : 0);
  }
  DescribeSettings settings;
  settings.correlation = true;
  const DescribeOutcome outcome = test::describe_columns(columns, settings);
  EXPECT_FALSE(withheld(outcome, "few", false));
  for (const json& row : outcome.rows("correlation"))
    EXPECT_EQ(row.at("withheld").get<bool>(), row.at("attribute_b") == "few") << row.dump();
}

// The mean of an empty group would be opened as the mean that the owner added, which is that of all its records.
TEST(Describe, AnEmptyGroupIsAViolation) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  columns[4].values.assign(kRecords, 1);  // died
  RowRules rules;
  rules.min_level_count = 0;
  const DescribeOutcome outcome = test::describe_columns(columns, everything(), Precision::exact, rules);
  ASSERT_EQ(outcome.error, nullptr);
  EXPECT_TRUE(withheld(outcome, "age", true));
  EXPECT_FALSE(withheld(outcome, "sex", true));
  DescribeSettings settings = everything();
  settings.refuse = true;
  EXPECT_NE(test::describe_columns(columns, settings).error, nullptr);
}

TEST(Describe, TwoFlagsThatDifferInFewRecordsAreBothWithheld) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  columns[2].values = columns[4].values;
  for (std::size_t i = 0, changed = 0; changed < 9; ++i)
    if (columns[4].values[i] == 1) columns[2].values[i] = 0, ++changed;
  const DescribeOutcome outcome = test::describe_columns(columns, everything());
  EXPECT_TRUE(withheld(outcome, "sex", false));
  EXPECT_TRUE(withheld(outcome, "died", false));
  EXPECT_FALSE(withheld(outcome, "urban", false));
  EXPECT_TRUE(withheld(outcome, "age", true));  // by died
  const WithMutant mutant(Mutant::nothing_withheld);
  EXPECT_FALSE(withheld(test::describe_columns(columns, everything()), "sex", false));
}

// A bit for each numeric column would tell whether the record that dominates it matched. So there is one for the study.
TEST(Describe, ADominatedNumericColumnRefusesTheStudy) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  columns[3].values[17] = 1e7;
  const DescribeOutcome outcome = test::describe_columns(columns, everything());
  ASSERT_NE(outcome.error, nullptr);
  EXPECT_EQ(outcome.error->message(), kRulesRefused);
}

// A value that does not stand out over all records, but in its group. All numeric attributes by group have one bit.
TEST(Describe, AColumnDominatedWithinAGroupWithholdsAllByGroup) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  ClearColumn& age = columns[0];
  set_flag(columns[4], columns[2], 60, 30);  // died
  EXPECT_FALSE(withheld(test::describe_columns(columns, everything()), "sbp", true));
  bool first = true;
  for (std::size_t i = 0; i < kRecords; ++i) {
    if (columns[4].values[i] == 0) continue;
    age.values[i] = first ? 100 : 60 + 0.1 * static_cast<double>(i % 7);
    first = false;
  }
  const DescribeOutcome outcome = test::describe_columns(columns, everything());
  EXPECT_FALSE(withheld(outcome, "age", false));
  EXPECT_TRUE(withheld(outcome, "age", true));
  EXPECT_TRUE(withheld(outcome, "sbp", true));
  EXPECT_FALSE(withheld(outcome, "sex", true));
}

// A flag of one chosen person looks the same whether that person matched or not.
TEST(Describe, AFlagOfOnePersonDoesNotTellWhetherItMatched) {
  const RowRules rules = test::design_rules();
  for (const std::size_t matched : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
    std::vector<ClearColumn> columns = hospital_and_insurer();
    set_flag(columns[2], columns[4], matched, 0);
    const DescribeOutcome outcome = test::describe_columns(columns, everything(), Precision::statistical, rules);
    ASSERT_EQ(outcome.error, nullptr) << matched;
    EXPECT_TRUE(withheld(outcome, "sex", false)) << matched;
    EXPECT_TRUE(table_withheld(outcome, 1)) << matched;
    EXPECT_FALSE(withheld(outcome, "urban", false)) << matched;
    EXPECT_FALSE(withheld(outcome, "age", true)) << matched;
  }
}

// The joint design refuses as in models: here a column that singles out one record together with another one.
TEST(Describe, TheJointDesignRefuses) {
  const RowRules rules = test::design_rules();
  std::vector<ClearColumn> columns = hospital_and_insurer();
  EXPECT_EQ(test::describe_columns(columns, everything(), Precision::exact, rules).error, nullptr);
  columns[1].values = columns[0].values;
  columns[1].values[5] += 3;
  const DescribeOutcome outcome = test::describe_columns(columns, everything(), Precision::exact, rules);
  ASSERT_NE(outcome.error, nullptr);
  EXPECT_EQ(outcome.error->message(), kRulesRefused);
}

TEST(Describe, ConstantColumns) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  columns[0].values.assign(kRecords, 42.5);
  columns[5].values.assign(kRecords, 1);
  const DescribeOutcome outcome = test::describe_columns(columns, everything());
  EXPECT_TRUE(withheld(outcome, "urban", false));
  for (const json& row : outcome.rows("describe")) {
    if (row.at("attribute") != "age") continue;
    EXPECT_NEAR(row.at("mean").get<double>(), 42.5, 1e-6);
    EXPECT_NEAR(row.at("sd").get<double>(), 0, 1e-6);
  }
}

TEST(Describe, MayRefuseInstead) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  DescribeSettings settings = everything();
  settings.refuse = true;
  EXPECT_EQ(test::describe_columns(columns, settings).error, nullptr);
  set_flag(columns[2], columns[4], 100, 9);
  const DescribeOutcome refused = test::describe_columns(columns, settings);
  ASSERT_NE(refused.error, nullptr);
  EXPECT_EQ(refused.error->code(), ErrorCode::refused);
  set_flag(columns[2], columns[4], 9, 4);
  EXPECT_NE(test::describe_columns(columns, settings).error, nullptr);
}

// A model beside it: its own columns refuse the study, those that only describe uses do not.
TEST(Describe, BesideAModel) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  set_flag(columns[2], columns[4], 9, 4);
  PenalisedSettings lasso;
  lasso.lambdas = {100.0};
  AnalysisTask model{"model", make_penalised(lasso), {}};
  model.columns.attributes = {0, 1};
  model.columns.names = {{"a", "age"}, {"a", "sbp"}};
  model.columns.outcome = 3;
  const DescribeOutcome both = test::describe_columns(columns, everything(), Precision::statistical, {}, 0, 7, {model});
  ASSERT_EQ(both.error, nullptr);
  EXPECT_EQ(both.results.size(), 2U);
  EXPECT_TRUE(withheld(both, "sex", false));
  EXPECT_EQ(models_in(both.results[1].relations).size(), 1U);
  model.columns.attributes.push_back(2);
  model.columns.names.push_back({"a", "sex"});
  EXPECT_NE(test::describe_columns(columns, everything(), Precision::statistical, {}, 0, 7, {model}).error, nullptr);
}

// What is withheld changes no message size and no round, and who is no recipient gets nothing.
TEST(Describe, MessagesDoNotDependOnWhatIsWithheld) {
  std::vector<ClearColumn> columns = hospital_and_insurer(), rare = columns;
  set_flag(rare[2], rare[4], 9, 4);
  for (const Precision precision : {Precision::exact, Precision::statistical}) {
    const DescribeOutcome open = test::describe_columns(columns, everything(), precision, {}, 2, 3),
                          closed = test::describe_columns(rare, everything(), precision, {}, 2, 3);
    for (const char* relation : {"describe", "crosstab", "correlation"}) EXPECT_TRUE(open.rows(relation).empty());
    for (int party = 0; party < kParties; ++party) {
      EXPECT_EQ(open.transcripts[party].rounds, closed.transcripts[party].rounds);
      if (precision == Precision::exact) {
        EXPECT_EQ(open.transcripts[party].bytes_sent, closed.transcripts[party].bytes_sent);
      }
    }
  }
}

TEST(Describe, PlannedExposureCoversIt) {
  const std::vector<ClearColumn> columns = hospital_and_insurer();
  for (const Precision precision : {Precision::exact, Precision::statistical})
    for (const bool by : {false, true})
      for (const bool design : {false, true}) {
        SCOPED_TRACE(std::string(precision_name(precision)) + (by ? ", by group" : "") + (design ? ", design" : ""));
        DescribeSettings settings = everything();
        settings.own_moments = true;
        if (!by) settings.by.reset();
        PlannedStudy study;
        study.attributes = columns.size();
        study.rows = kRecords;
        study.precision = precision;
        if (design) study.rules = test::design_rules();
        const Cost own = describe_cost(study, test::columns_named(columns), settings), shared = shared_cost(study);
        const DescribeOutcome outcome = test::describe_columns(columns, settings, precision, study.rules);
        ASSERT_EQ(outcome.error, nullptr);
        EXPECT_LE(outcome.transcripts[0].exposure, own.exposure + shared.exposure);
        EXPECT_LE(own.exposure + shared.exposure, kMostExposure);
        EXPECT_NEAR(static_cast<double>(outcome.transcripts[0].rounds), static_cast<double>(own.rounds + shared.rounds),
                    6);
      }
}

TEST(Describe, RefusesATableOfANumericAttribute) {
  DescribeSettings settings = everything();
  settings.tables = {{"age", "died"}};
  try {
    test::describe_columns(hospital_and_insurer(), settings);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_parameter);
    EXPECT_NE(error.detail().find("a.age is used in a cross-table"), std::string::npos);
  }
}

TEST(Describe, AcceptsItsOwnResultOnly) {
  std::vector<ClearColumn> columns = hospital_and_insurer();
  set_flag(columns[2], columns[4], 9, 4);
  const AnalysisColumns named = test::columns_named(columns);
  const DescribeOutcome outcome = test::describe_columns(columns, everything(), Precision::statistical);
  const Relations good = outcome.results[0].relations;
  const auto accepts = [&](const Relations& relations) {
    return make_describe(everything())->accepts(relations, named, kRecords);
  };
  EXPECT_TRUE(accepts(good));
  EXPECT_FALSE(accepts({}));
  const auto changed = [&](std::size_t relation, const std::function<void(json&)>& change) {
    Relations out = good;
    change(out[relation].rows);
    return accepts(out);
  };
  EXPECT_FALSE(changed(0, [](json& rows) { rows.erase(0); }));
  EXPECT_FALSE(changed(0, [](json& rows) { rows.push_back(rows[0]); }));
  EXPECT_FALSE(changed(0, [](json& rows) { rows[0]["attribute"] = "other"; }));
  EXPECT_FALSE(changed(0, [](json& rows) { rows[0]["n"] = 100000; }));
  EXPECT_FALSE(changed(0, [](json& rows) { rows[0]["extra"] = 1; }));
  EXPECT_FALSE(changed(1, [](json& rows) { rows[0]["tab"] = 7; }));
  EXPECT_FALSE(changed(2, [](json& rows) { rows[0]["r"] = 3; }));
  EXPECT_FALSE(changed(2, [](json& rows) { rows[0]["withheld"] = nullptr; }));
}

}  // namespace
}  // namespace pgmpc
