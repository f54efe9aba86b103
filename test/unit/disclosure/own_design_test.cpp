// The union rule's figures (disclosure/own_design.h): a column counts whatever its unit and its distance from 0.
#include "disclosure/own_design.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace pgmpc {
namespace {

// Two flags of 300 records that differ in one of them, as scale * flag + offset, beside a third column.
DesignFigures figures(double scale, double offset) {
  DesignCheck check(3);
  for (int pass = 0; pass < DesignCheck::kPasses; ++pass) {
    for (int i = 0; i < 300; ++i) {
      const std::array<double, 3> record = {offset + scale * (i < 20), offset + scale * (i < 19), std::sin(i)};
      check.add(record);
    }
    check.end_pass();
  }
  return check.figures();
}

TEST(UnionRule, FiguresDoNotDependOnUnits) {
  const DesignFigures plain = figures(1, 0);
  EXPECT_EQ(plain.columns, 3);
  EXPECT_GT(plain.max_leverage, 0.4);
  for (const double scale : {0x1p-200, 0x1p-60, 0x1p60, 0x1p200}) {
    const DesignFigures scaled = figures(scale, 0);
    EXPECT_EQ(scaled.columns, 3) << scale;
    EXPECT_NEAR(scaled.max_leverage, plain.max_leverage, 1e-9) << scale;
    EXPECT_NEAR(scaled.sum_squares, plain.sum_squares, 1e-9) << scale;
    EXPECT_NEAR(scaled.max_vif / plain.max_vif, 1, 1e-9) << scale;
  }
  const DesignFigures shifted = figures(1, 0x1p50);
  EXPECT_EQ(shifted.columns, 3);
  EXPECT_NEAR(shifted.max_leverage, plain.max_leverage, 1e-9);
}

TEST(UnionRule, OnlyEqualValuesDoNotVary) {
  DesignCheck check(2);
  for (int pass = 0; pass < DesignCheck::kPasses; ++pass) {
    for (int i = 0; i < 50; ++i) check.add(std::array<double, 2>{0.1, i == 7 ? 0x1p-300 : 0.0});
    check.end_pass();
  }
  EXPECT_EQ(check.figures().columns, 1);
}

}  // namespace
}  // namespace pgmpc
