// A fixture for tests that run once with each kind of comparison.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "mpc/comparison_kind.h"

namespace pgmpc {

class EachComparison : public testing::TestWithParam<ComparisonKind> {};

inline std::string comparison_test_name(const testing::TestParamInfo<ComparisonKind>& info) {
  return comparison_name(info.param);
}

}  // namespace pgmpc
