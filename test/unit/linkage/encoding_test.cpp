// The encoding of columns: exactness, bounds at their edges, and refusals that name the column.
#include "linkage/encoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/mutants.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

class WithMutant {
 public:
  explicit WithMutant(Mutant m) { active_mutant = m; }
  ~WithMutant() { active_mutant = Mutant::none; }
};

double decoded(const EncodedColumn& c, std::size_t i) {
  return std::ldexp(static_cast<double>(c.scaled_mean), c.exponent - kMeanBits) +
         std::ldexp(static_cast<double>(c.values[i]), c.exponent - kDataBits);
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
    const double half_unit = std::ldexp(0.5, c.exponent - kDataBits);
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

// The owner of a column chooses its SQL type, but not whether it has two values (rule B3).
TEST(Encoding, TwoDistinctValuesAreTwoValuedWhateverTheirCoding) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 1}, {-1, 1}, {5, 7}, {0.1, 0.30000000000000004}, {-3e9, 1e9}, {1e-7, 2e-7}}) {
    const std::vector<double> values = {high, low, low, high, low};
    const auto c = encode_source_column("x", values, false);
    EXPECT_TRUE(c.binary);
    EXPECT_EQ((std::vector<std::int64_t>(c.values.begin(), c.values.end())),
              (std::vector<std::int64_t>{1 << 24, 0, 0, 1 << 24, 0}));
    const double step = std::ldexp(static_cast<double>(c.step), -kStepBits);
    EXPECT_GE(step, 1);
    EXPECT_LE(step, 2);
    EXPECT_NEAR(step * std::ldexp(static_cast<double>(c.inverse_step), -kStepBits), 1, 1e-8);
    const double origin = std::ldexp(static_cast<double>(c.scaled_mean), c.exponent - kMeanBits);
    EXPECT_NEAR(origin, low, std::abs(high - low) * 1e-9);
    EXPECT_NEAR(origin + std::ldexp(step, c.exponent), high, std::abs(high - low) * 1e-8);
  }
  const auto boolean = encode_source_column("x", std::vector<double>{0, 1, 1}, true),
             same = encode_source_column("x", std::vector<double>{0, 1, 1}, false);
  EXPECT_EQ(boolean.exponent, same.exponent);
  EXPECT_EQ(boolean.scaled_mean, same.scaled_mean);
  EXPECT_EQ(boolean.step, same.step);
  EXPECT_FALSE(encode_source_column("x", std::vector<double>{0, 1, 2, 1}, false).binary);
  EXPECT_TRUE(encode_source_column("x", std::vector<double>(10, 4.5), false).binary) << "one value";
  const WithMutant mutant(Mutant::sql_type_decides);
  EXPECT_FALSE(encode_source_column("x", std::vector<double>{0, 1, 1}, false).binary);
}

TEST(Encoding, FixedExponentsOfTwoValuedColumnsMustFit) {
  const auto with = [](double high, int e) {
    try {
      const auto c = encode_two_valued("age", std::vector<double>{0, high, high}, e);
      EXPECT_EQ(c.exponent, e);
      EXPECT_NEAR(std::ldexp(static_cast<double>(c.step), e - kStepBits), high, 1e-7);
      return std::string("accepted");
    } catch (const Error& error) {
      return error.message();
    }
  };
  EXPECT_EQ(with(64, 0), "accepted");
  EXPECT_EQ(with(1, 0), "accepted");
  EXPECT_NE(with(65, 0).find("too large"), std::string::npos);
  EXPECT_NE(with(1, 1).find("too little"), std::string::npos);
  EXPECT_EQ(encode_two_valued("age", std::vector<double>{3, 3}, 9).exponent, 9) << "a constant has no step";
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
