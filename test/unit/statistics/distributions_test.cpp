// Tests tail probabilities against closed forms and published quantiles.
#include "statistics/distributions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pgmpc {
namespace {

void expect_close(double value, double expected) { EXPECT_NEAR(value / expected, 1, 1e-12) << expected; }

TEST(Distributions, ChiSquareHasItsClosedForms) {
  for (const double x : {1e-6, 0.01, 0.5, 1.0, 3.0, 9.5, 40.0, 300.0, 1200.0}) {
    expect_close(chi_square_tail(x, 1), std::erfc(std::sqrt(x / 2)));
    expect_close(chi_square_tail(x, 2), std::exp(-x / 2));
    expect_close(chi_square_tail(x, 4), std::exp(-x / 2) * (1 + x / 2));
    expect_close(chi_square_tail(x, 6), std::exp(-x / 2) * (1 + x / 2 + x * x / 8));
  }
}

TEST(Distributions, StudentHasItsClosedForms) {
  for (const double t : {1e-6, 0.1, 0.7, 1.0, 2.5, 12.0, 400.0}) {
    const double angle = std::atan(t / std::sqrt(3));
    expect_close(student_two_sided(t, 1), 2 / M_PI * std::atan2(1, t));
    expect_close(student_two_sided(t, 2), 2 / (std::sqrt(t * t + 2) * (std::sqrt(t * t + 2) + t)));
    EXPECT_NEAR(student_two_sided(t, 3), 1 - 2 / M_PI * (angle + std::sin(angle) * std::cos(angle)), 1e-14);
    EXPECT_EQ(student_two_sided(-t, 2.7), student_two_sided(t, 2.7));
  }
}

// NIST/SEMATECH e-Handbook of Statistical Methods, tables 1.3.6.7.2 and 1.3.6.7.4; more digits from their inversion.
TEST(Distributions, PublishedQuantiles) {
  EXPECT_NEAR(chi_square_tail(3.841, 1), 0.05, 2e-5);
  EXPECT_NEAR(chi_square_tail(18.307, 10), 0.05, 2e-5);
  EXPECT_NEAR(chi_square_tail(124.342, 100), 0.05, 2e-5);
  EXPECT_NEAR(student_two_sided(2.228, 10), 0.05, 2e-5);
  EXPECT_NEAR(student_two_sided(2.626, 100), 0.01, 2e-5);
  EXPECT_NEAR(student_two_sided(1.959963984540054, 1e9), 0.05, 1e-9);  // the normal distribution
}

TEST(Distributions, BordersAndNonsense) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(chi_square_tail(0, 3), 1);
  EXPECT_EQ(chi_square_tail(infinity, 3), 0);
  EXPECT_EQ(student_two_sided(0, 3), 1);
  EXPECT_EQ(student_two_sided(-infinity, 3), 0);
  for (const double bad : {chi_square_tail(-1, 3), chi_square_tail(1, 0), chi_square_tail(std::nan(""), 1),
                           student_two_sided(1, -2), student_two_sided(std::nan(""), 1)})
    EXPECT_TRUE(std::isnan(bad));
}

}  // namespace
}  // namespace pgmpc
