// Tests what mpc.check_source and mpc.approve_study say about a column.
#include "study/column_problems.h"

#include <gtest/gtest.h>

#include <vector>

namespace pgmpc {
namespace {

Spec spec_with(const std::string& more = "") {
  return parse_spec(R"({"controllers": {"a": {"attributes": ["x"], "outcome": "y"}, "b": {"attributes": ["z"]}},
    "third_party": "t", "scale_exponents": {"b": {"z": 2}},
    "analysis": {"kind": "lasso", "lambda": 0.1})" +
                    more + "}");
}

ColumnSummary summary_of(const std::vector<double>& values) {
  ColumnSummary out;
  for (double x : values) out.add(x);
  return out;
}

// n records, of which `rare` hold the value `high`.
ColumnSummary two_values(int n, int rare, double low, double high) {
  std::vector<double> values(static_cast<std::size_t>(n), low);
  for (int i = 0; i < rare; i++) values[static_cast<std::size_t>(i)] = high;
  return summary_of(values);
}

TEST(ColumnProblems, NothingToSay) {
  const Spec spec = spec_with();
  EXPECT_EQ(column_problem(spec, 0, "x", false, summary_of({1, 2, 3, 4})), "");
  EXPECT_EQ(column_problem(spec, 0, "x", true, two_values(100, 50, 0, 1)), "");
  EXPECT_EQ(column_problem(spec, 0, "x", false, summary_of({})), "");
}

TEST(ColumnProblems, WhatARunRefuses) {
  const Spec spec = spec_with();
  EXPECT_EQ(column_problem(spec, 0, "x", false, summary_of({1, 2, 1e101})),
            "values that are NaN, infinite or beyond 1e100: 1");
  EXPECT_EQ(column_problem(spec, 0, "x", false, summary_of({1e90, 2e90, 4e90})),
            "magnitude that cannot be encoded: choose another unit");
  EXPECT_EQ(column_problem(spec, 0, "x", false, summary_of({90000, 90001, 90002})),
            "mean too large for the spread: subtract a typical value");
  EXPECT_EQ(column_problem(spec, 1, "z", false, summary_of({1, 2, 3, 5000})),
            "values too large for the agreed scale exponent 2");
  EXPECT_EQ(column_problem(spec, 0, "x", false, summary_of({4, 4, 4})), "constant");
  EXPECT_EQ(column_problem(spec, 1, "z", false, summary_of({9000, 9000})),
            "constant; mean too large for the spread: subtract a typical value");
}

TEST(ColumnProblems, LevelsThatTooFewRecordsHold) {
  const std::string nine = "rows with the rarer of two values: 9 (a run is refused when 1 to 9 matched rows have it)";
  EXPECT_EQ(column_problem(spec_with(), 0, "x", true, two_values(200, 9, 0, 1)), nine);
  EXPECT_EQ(column_problem(spec_with(), 0, "x", false, two_values(200, 9, 5, 7)), nine);
  EXPECT_EQ(column_problem(spec_with(), 0, "x", true, two_values(200, 10, 0, 1)), "");
  const Spec off = spec_with(R"(, "disclosure": {"min_level_count": 0})");
  EXPECT_EQ(column_problem(off, 0, "x", true, two_values(200, 1, 0, 1)), "");
}

// A rare level of a column that only describe has withholds its tables.
TEST(ColumnProblems, LevelsThatTooFewRecordsHoldInTable1) {
  const auto of = [](const std::string& settings) {
    const Spec spec =
        parse_spec(R"({"controllers": {"a": {"attributes": ["x", "w"]}, "b": {"attributes": ["z"], "outcome": "y"}},
      "third_party": "t", "analyses": {"table1": {"kind": "describe")" +
                   settings + R"(}, "model": {"lambda": 1, "attributes": ["w", "z"]}}})");
    return std::pair(column_problem(spec, 0, "x", true, two_values(200, 9, 0, 1)),
                     column_problem(spec, 0, "w", true, two_values(200, 9, 0, 1)));
  };
  const std::string found = "rows with the rarer of two values: 9 ";
  const std::string refused = found + "(a run is refused when 1 to 9 matched rows have it)";
  EXPECT_EQ(of(""), std::pair(found + "(its tables are withheld when fewer than 10 matched rows have it)", refused));
  EXPECT_EQ(of(R"(, "on_small_cell": "refuse")"), std::pair(refused, refused));
}

TEST(ColumnProblems, AnOutcomeOf0And1IsALinearProbabilityModel) {
  const Spec spec = spec_with();
  for (bool boolean : {false, true}) {
    const std::string text = column_problem(spec, 0, "y", boolean, two_values(100, 50, 0, 1));
    EXPECT_TRUE(text.starts_with("outcome with only the values 0 and 1: lasso fits a linear probability model"))
        << text;
  }
  EXPECT_EQ(column_problem(spec, 0, "y", false, two_values(100, 50, 0, 2)), "");
  EXPECT_EQ(column_problem(spec, 0, "x", false, two_values(100, 50, 0, 1)), "") << "an attribute";
  EXPECT_EQ(column_problem(spec, 0, "y", false, summary_of({0, 0.5, 1, 0.25})), "");
}

}  // namespace
}  // namespace pgmpc
