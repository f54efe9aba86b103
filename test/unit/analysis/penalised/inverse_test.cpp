// Tests approximate inverses on shares against their matrices, at the limits of the public bounds.
#include "algebra/inverse.h"

#include <gtest/gtest.h>

#include "analysis/penalised/metric.h"
#include "support/mpc_harness.h"

namespace pgmpc {
namespace {

// Returns a matrix of d columns with the same correlation for all pairs, plus a diagonal: kLeastMetric on every third
// column and kMostMetric on the others. Its eigenvalues lie between (1 - correlation) + kLeastMetric and d +
// kMostMetric.
std::vector<double> alike(std::size_t d, double correlation) {
  std::vector<double> a(d * d, correlation);
  for (std::size_t i = 0; i < d; ++i) a[i * d + i] = 1 + (i % 3 == 0 ? kLeastMetric : kMostMetric);
  return a;
}

// Returns the largest |(I - A X) v| / |v| over 20 random vectors v of ones and minus ones.
double largest_residual(const std::vector<double>& a, const std::vector<double>& x, std::size_t d) {
  TestRng rng(5);
  double most = 0;
  for (int turn = 0; turn < 20; ++turn) {
    std::vector<double> v(d), xv(d, 0);
    for (double& e : v) e = rng.below(2) == 0 ? 1 : -1;
    double square = 0;
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j) xv[i] += x[i * d + j] * v[j];
    for (std::size_t i = 0; i < d; ++i) {
      double rest = v[i];
      for (std::size_t j = 0; j < d; ++j) rest -= a[i * d + j] * xv[j];
      square += rest * rest;
    }
    most = std::max(most, std::sqrt(square / static_cast<double>(d)));
  }
  return most;
}

void expect_near(std::size_t d, double correlation, int bits) {
  MpcHarness h(d);
  const std::vector<double> a = alike(d, correlation);
  std::vector<i128> triangle, flags;
  for (std::size_t i = 0; i < d; ++i) {
    flags.push_back(i % 3 == 0);
    for (std::size_t j = i; j < d; ++j) triangle.push_back(std::llround(std::ldexp(a[i * d + j], bits)));
  }
  const auto shares = h.deal(triangle), own_flags = h.deal(flags);
  std::array<FpVector, kParties> inverse, reduced;
  h.run([&](Session& s) {
    const int p = s.self();
    FpVector squares;  // degree 2
    for (const Fp& flag : own_flags[p]) squares.push_back(flag * flag);
    const CancelToken cancel;
    ApproximateInverse out = approximate_inverse({s, bits}, 1, shares[p], squares, static_cast<double>(d) + kMostMetric,
                                                 kLeastMetric, cancel);
    inverse[p] = std::move(out.matrix.at);
    reduced[p] = std::move(out.bits);
    return 0;
  });
  std::vector<double> x;
  for (const i128 each : MpcHarness::reveal(inverse)) x.push_back(std::ldexp(static_cast<double>(each), -bits));
  EXPECT_LE(largest_residual(a, x, d), kInverseError) << d << " columns, correlation " << correlation;
  EXPECT_TRUE(MpcHarness::reveal(reduced) == flags);
  EXPECT_EQ(h.transcript(0).rounds,
            1 + static_cast<std::int64_t>(chebyshev_steps(static_cast<double>(d) + kMostMetric, kLeastMetric).size()));
}

TEST(ApproximateInverse, OfColumnsThatAreNotCorrelated) { expect_near(5, 0, 36); }

TEST(ApproximateInverse, OfEqualColumns) {
  expect_near(1, 1, 36);
  expect_near(30, 1, 36);
  expect_near(60, 1, 34);
}

// Rounding errors are largest here: the widest bounds and the fewest fractional bits.
TEST(ApproximateInverse, OfTwoHundredColumns) { expect_near(200, 1, 34); }

TEST(ApproximateInverse, StepsStayBelowTheirBounds) {
  for (const double most : {1.5, 31.0, 216.0})
    for (const double least : {1.0, 0.5, 1.0 / 64, 0x1p-10}) {
      const double shift = std::max(1.0, std::ceil(std::log2(most / 1.9)));
      double worst = 0;
      for (int step = 0; step <= 1000; ++step) {
        const double eigenvalue = least + (most - least) * step / 1000;
        double p = 1 - std::ldexp(eigenvalue, -static_cast<int>(shift));
        for (const ChebyshevStep& doubling : chebyshev_steps(most, least)) {
          const double a = std::ldexp(doubling.factor, -kFactorBits);
          p = a * p * p - (a - 1);
          EXPECT_LE((1 - p) / eigenvalue, std::ldexp(1.0, doubling.growth));
        }
        worst = std::max(worst, std::fabs(p));
      }
      EXPECT_LE(worst, kInverseError) << most << " " << least;
    }
}

}  // namespace
}  // namespace pgmpc
