// Compares the one-pass summary of a column with two passes over its values, and tests the scales that follow from it.
#include "linkage/column_summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "linkage/encoding.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

ColumnSummary summary_of(const std::vector<double>& values) {
  ColumnSummary out;
  for (double x : values) out.add(x);
  return out;
}

TEST(ColumnSummary, FiguresAreThoseOfTwoPasses) {
  TestRng rng(5);
  for (double offset : {0.0, 1e3, -1e9, 1e15}) {
    std::vector<double> values = {offset + 1e6};  // the first one, from which differences are taken, is an outlier
    for (int i = 0; i < 5000; i++) values.push_back(offset + static_cast<double>(rng.below(1000)));
    long double mean = 0, squares = 0, reach = 0;
    for (double x : values) mean += x;
    mean /= static_cast<long double>(values.size());
    for (double x : values) {
      squares += (x - mean) * (x - mean);
      reach = std::max(reach, std::fabs(x - mean));
    }
    const ColumnSummary column = summary_of(values);
    EXPECT_EQ(column.mean(), mean);
    EXPECT_EQ(column.reach(), reach);
    EXPECT_NEAR(static_cast<double>(column.sd()), static_cast<double>(std::sqrt(squares / values.size())), 1e-8);
    EXPECT_EQ(column.count(), 5001);
    EXPECT_FALSE(column.two_valued());
  }
}

TEST(ColumnSummary, WhatNoEncodingCarriesTakesNoPartInTheFigures) {
  const double infinity = std::numeric_limits<double>::infinity();
  const ColumnSummary column = summary_of({std::nan(""), 3, infinity, 1, -infinity, 1e101, 3});
  EXPECT_EQ(column.not_finite(), 3);
  EXPECT_EQ(column.beyond(), 1);
  EXPECT_EQ(column.unusable(), 4);
  EXPECT_EQ(column.count(), 3);
  EXPECT_EQ(column.low(), 1);
  EXPECT_EQ(column.high(), 3);
  EXPECT_TRUE(column.two_valued());
  EXPECT_EQ(column.rarer(), 1);
}

TEST(ColumnSummary, CountsTheRarerOfTwoValues) {
  EXPECT_EQ(summary_of({7, 7, 7}).rarer(), 0);
  EXPECT_EQ(summary_of({7, -7, 7}).rarer(), 1);
  EXPECT_EQ(summary_of({-7, 7, 7, 7, -7}).rarer(), 2);
  EXPECT_TRUE(summary_of({0, 1, 1}).holds_only_0_and_1());
  EXPECT_TRUE(summary_of({1, 1}).holds_only_0_and_1());
  EXPECT_FALSE(summary_of({0, 0.5, 1}).holds_only_0_and_1());
  EXPECT_FALSE(summary_of({1, 2}).holds_only_0_and_1());
}

// The scale computed from the summary is the one that the values get, and it refuses what their encoding refuses.
TEST(ColumnSummary, ItsScaleIsThatOfTheEncodedColumn) {
  TestRng rng(6);
  int refused = 0;
  for (int round = 0; round < 400; round++) {
    const double unit = std::ldexp(1, static_cast<int>(rng.below(40)) - 20);
    const double origin = unit * (static_cast<double>(rng.below(4000)) - 2000);
    std::vector<double> values;
    const std::uint64_t distinct = 1 + rng.below(5);
    for (int i = 0; i < 50; i++) values.push_back(origin + unit * static_cast<double>(rng.below(distinct)));
    std::optional<int> fixed;
    if (rng.below(2) == 0) fixed = static_cast<int>(rng.below(40)) - 20;
    const bool boolean = rng.below(4) == 0;
    const ColumnSummary column = summary_of(values);
    const ColumnScale scale = source_scale(column, boolean, fixed);
    try {
      const EncodedColumn encoded = encode_source_column("x", values, boolean, fixed);
      ASSERT_EQ(scale.problem, ColumnProblem::none);
      ASSERT_EQ(encoded.exponent, scale.exponent);
      ASSERT_EQ(encoded.scaled_mean, scale.scaled_mean);
      ASSERT_EQ(encoded.binary, scale.binary);
      for (std::int64_t x : encoded.values) ASSERT_LE(std::abs(x), (std::int64_t{1} << 30) + 1);
    } catch (const Error&) {
      ASSERT_NE(scale.problem, ColumnProblem::none);
      refused++;
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_LT(refused, 350);
}

}  // namespace
}  // namespace pgmpc
