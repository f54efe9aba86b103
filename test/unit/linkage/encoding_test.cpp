// What: the encoding of columns: exactness, bounds at their edges, refusals that name the column.
#include "linkage/encoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

double decoded(const EncodedColumn& c, std::size_t i) {
  return std::ldexp(static_cast<double>(c.scaled_mean), c.exponent - kMeanFractionBits) +
         std::ldexp(static_cast<double>(c.values[i]), c.exponent - kValueFractionBits);
}

Error refusal(const std::vector<double>& values, bool binary = false, std::optional<int> e = std::nullopt) {
  try {
    encode_column("age", values, binary, e);
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::internal, "accepted");
}

TEST(Encoding, ExponentIsTheSmallestPowerOfTwoThatCoversTheSpread) {
  EXPECT_EQ(encode_column("x", std::vector<double>{-1, 1}, false).exponent, 0);  // sd = 1 exactly
  EXPECT_EQ(encode_column("x", std::vector<double>{-1.001, 1.001}, false).exponent, 1);
  EXPECT_EQ(encode_column("x", std::vector<double>{-4, 4}, false).exponent, 2);
  EXPECT_EQ(encode_column("x", std::vector<double>{-0.25, 0.25}, false).exponent, -2);
  std::vector<double> outlier(1000000, 0.0);  // the reach decides: sd = 1, max|x - mu| = 1000 - 0.001
  outlier[17] = 1000;
  EXPECT_EQ(encode_column("x", outlier, false).exponent, 4);
}

TEST(Encoding, KnownValues) {
  const auto c = encode_column("x", std::vector<double>{1, 3}, false);  // mean 2, sd 1
  EXPECT_EQ(c.exponent, 0);
  EXPECT_EQ(c.scaled_mean, std::int64_t{2} << 36);
  EXPECT_EQ(c.values[0], -(1 << 24));
  EXPECT_EQ(c.values[1], 1 << 24);
  EXPECT_FALSE(c.binary);
}

TEST(Encoding, DecodesWithinHalfAUnit) {
  TestRng rng(3);
  for (double scale : {1e-9, 1.0, 37.5, 1e12}) {
    std::vector<double> values;
    for (int i = 0; i < 2000; ++i) values.push_back(scale * (100 + static_cast<double>(rng.below(1000000)) / 1000));
    const auto c = encode_column("x", values, false);
    const double half_unit = std::ldexp(0.5, c.exponent - kValueFractionBits);
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(decoded(c, i), values[i], half_unit * 1.001);
      ASSERT_LT(std::abs(c.values[i]), std::int64_t{1} << 31);
    }
    EXPECT_LE(std::abs(c.scaled_mean), std::int64_t{1} << 46);
  }
}

TEST(Encoding, BinaryColumnsGoRaw) {
  const auto c = encode_column("x", std::vector<double>{0, 1, 1}, true, 9);
  EXPECT_TRUE(c.binary);
  EXPECT_EQ(c.exponent, 0);
  EXPECT_EQ(c.scaled_mean, 0);
  EXPECT_EQ((std::vector<std::int64_t>(c.values.begin(), c.values.end())),
            (std::vector<std::int64_t>{0, 1 << 24, 1 << 24}));
  EXPECT_EQ(refusal({0, 0.5}, true).code(), ErrorCode::data_exception);
  EXPECT_EQ(refusal({0, 2}, true).code(), ErrorCode::data_exception);
}

TEST(Encoding, ConstantColumnsAreLegal) {
  for (double value : {0.0, 1.0, -5.0, 1e6, 1e-7, 0.1, 3e70}) {
    const auto c = encode_column("x", std::vector<double>(1000, value), false);
    for (std::int64_t x : c.values) ASSERT_EQ(x, 0);
    EXPECT_LE(std::abs(c.scaled_mean), std::int64_t{1} << 46);
    EXPECT_NEAR(decoded(c, 0), value, std::abs(value) * 1e-13);
  }
  EXPECT_EQ(encode_column("x", {}, false).values.size(), 0u);
}

TEST(Encoding, RefusesNanAndInfinityNamingTheColumn) {
  for (double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()})
    for (bool binary : {false, true}) {
      const Error error = refusal({1, bad, 0}, binary);
      EXPECT_EQ(error.code(), ErrorCode::data_exception);
      EXPECT_EQ(error.message(), "column \"age\" holds NaN or infinity");
      EXPECT_EQ(error.detail(), "1 of 3 values are not finite.");
    }
}

TEST(Encoding, RefusesAMeanTooLargeForItsSpread) {
  EXPECT_EQ(refusal({1023, 1025}).message(), "accepted");  // mean 1024, sd 1: the bound itself
  const Error error = refusal({1024, 1026});
  EXPECT_EQ(error.code(), ErrorCode::out_of_range);
  EXPECT_EQ(error.message(), "the mean of column \"age\" is too large for its spread");
  EXPECT_NE(error.hint().find("subtract a constant"), std::string::npos);
}

TEST(Encoding, FixedExponentsMustFit) {
  const auto c = encode_column("x", std::vector<double>{1, 3}, false, 4);
  EXPECT_EQ(c.exponent, 4);
  EXPECT_EQ(c.values[1], 1 << 20);
  EXPECT_EQ(refusal({-64, 64}, false, 0).message(), "accepted");
  EXPECT_EQ(refusal({-65, 65}, false, 0).code(), ErrorCode::out_of_range);  // above 64 units
  EXPECT_EQ(refusal({-1, 1}, false, 12).message(), "accepted");
  EXPECT_EQ(refusal({-1, 1}, false, 13).code(), ErrorCode::out_of_range);  // sd below 2^-12 units
  EXPECT_EQ(refusal({5, 5}, false, 20).message(), "accepted") << "a constant has no spread to lose";
  EXPECT_EQ(refusal({2000, 2002}, false, 0).code(), ErrorCode::out_of_range);
}

TEST(Encoding, RefusesMagnitudesBeyondDoubles) {
  EXPECT_EQ(refusal({-1e300, 1e300}).code(), ErrorCode::out_of_range);
  EXPECT_EQ(refusal({-1e-300, 1e-300}).code(), ErrorCode::out_of_range);
  EXPECT_EQ(refusal({-1.7e308, 1.7e308}).code(), ErrorCode::out_of_range);
}

}  // namespace
}  // namespace pgmpc
