// Implements tail probabilities by the incomplete gamma and beta functions.
//
// Source
// NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov: series 8.11.4 and continued fraction 8.9.2 of the
// incomplete gamma function, continued fraction 8.17.22 of the incomplete beta function, asymptotic series 5.11.8 of log Gamma. Continued fractions by the
// algorithm of Lentz: Applied Optics 15 (1976), 668-671.
#include "statistics/distributions.h"

#include <cmath>
#include <limits>

namespace pgmpc {
namespace {

constexpr double kEpsilon = 1e-16, kTiny = 1e-300;
constexpr int kMostTerms = 100'000;

double log_gamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);  // std::lgamma writes a global variable
}

// A continued fraction b0 + a1/(b1 + a2/(b2 + ...)). next(k, a, b) sets the k-th pair, from 1 on.
template <typename Next>
double continued_fraction(double b0, Next next) {
  double value = b0 == 0 ? kTiny : b0, c = value, d = 0;
  for (int k = 1; k <= kMostTerms; ++k) {
    double a = 0, b = 0;
    next(k, a, b);
    d = b + a * d;
    if (d == 0) d = kTiny;
    c = b + a / c;
    if (c == 0) c = kTiny;
    d = 1 / d;
    value *= c * d;
    if (std::fabs(c * d - 1) < kEpsilon) break;
  }
  return value;
}

// The regularised upper incomplete gamma function Q(s, x).
double upper_gamma(double s, double x) {
  if (x == 0) return 1;
  const double front = std::exp(s * std::log(x) - x - log_gamma(s));
  if (x < s + 1) {
    double term = 1 / s, sum = term;
    for (int k = 1; k <= kMostTerms && term > sum * kEpsilon; ++k) sum += term *= x / (s + k);
    return 1 - front * sum;
  }
  return front / continued_fraction(x + 1 - s, [&](int k, double& a, double& b) {
           a = -k * (k - s);
           b = x + 2 * k + 1 - s;
         });
}

// log(Gamma(a + 1/2) / Gamma(a)). The difference of two large logarithms would lose digits.
double log_half_step(double a) {
  if (a < 50) return log_gamma(a + 0.5) - log_gamma(a);
  const double square = a * a;
  return std::log(a) / 2 - (1.0 / 8 - (1.0 / 192 - (1.0 / 640 - 17.0 / 14336 / square) / square) / square) / a;
}

// log(x) for rest = 1 - x, from whichever of the two is further from 1.
double log_of(double x, double rest) { return x < rest ? std::log(x) : std::log1p(-rest); }

// The regularised incomplete beta function, for x below (a + 1) / (a + b + 2). rest = 1 - x. One of a and b is 1/2.
double lower_beta(double a, double b, double x, double rest) {
  const double other = a == 0.5 ? b : a;
  const double front =
      std::exp(a * log_of(x, rest) + b * log_of(rest, x) + log_half_step(other)) / (a * std::sqrt(M_PI));
  return front / continued_fraction(1, [&](int k, double& numerator, double& denominator) {
           const int m = k / 2;
           numerator = k % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                                  : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
           denominator = 1;
         });
}

}  // namespace

double chi_square_tail(double x, double degrees) {
  if (!(x >= 0) || !(degrees > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (std::isinf(x)) return 0;
  return upper_gamma(degrees / 2, x / 2);
}

double student_two_sided(double t, double degrees) {
  if (std::isnan(t) || !(degrees > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (t == 0) return 1;
  if (std::isinf(t)) return 0;
  const double square = t * t, x = degrees / (degrees + square), rest = square / (degrees + square);
  const double a = degrees / 2, b = 0.5;
  if (x < (a + 1) / (a + b + 2)) return lower_beta(a, b, x, rest);
  return 1 - lower_beta(b, a, rest, x);
}

}  // namespace pgmpc
