// Lasso, elastic net and ridge in the clear, as a reference for tests: coordinate descent in long double on the
// moments.
//
// Terms
// The problem is 1/(2n) ||y - b0 - X b||^2 + lambda * sum_j (alpha s_j |b_j| + (1 - alpha)/2 (s_j b_j)^2). s_j is the
// population standard deviation of column j when standardize, else 1. Coefficients are in original units.
// The KKT residual is the largest violation of the optimality conditions, divided by s_j and by the smallest lambda
// with an all-zero solution.
//
// Invariants
// Columns without variation get the coefficient 0.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

namespace pgmpc::test {

struct PlainTable {
  std::vector<std::vector<double>> columns;  // columns[j][record]
  std::vector<double> outcome;
};

struct PlainFit {
  double intercept = 0;
  std::vector<double> coefficients;
  double r_squared = 0;
  double kkt = 0;
  int sweeps = 0;
  int nonzero() const {
    return static_cast<int>(std::count_if(coefficients.begin(), coefficients.end(), [](double b) { return b != 0; }));
  }
};

class PlainLasso {
 public:
  explicit PlainLasso(const PlainTable& table) : size_(table.columns.size()) {
    std::vector<std::vector<long double>> centred;
    for (const auto& column : table.columns) centred.push_back(centre(column));
    centred.push_back(centre(table.outcome));
    moment_.assign(size_ + 1, std::vector<long double>(size_ + 1));
    for (std::size_t i = 0; i <= size_; ++i) {
      for (std::size_t j = 0; j <= i; ++j) moment_[i][j] = moment_[j][i] = product(centred[i], centred[j]);
    }
  }

  // Returns s_j of the problem, or 0 for a column without variation.
  double weight(std::size_t j, bool standardize) const {
    if (moment_[j][j] <= 0) return 0;
    return standardize ? static_cast<double>(std::sqrt(moment_[j][j])) : 1;
  }

  // Returns the smallest lambda with an all-zero solution of the lasso.
  double lambda_max(bool standardize) const {
    long double largest = 0;
    for (std::size_t j = 0; j < size_; ++j) {
      const long double s = exact_weight(j, standardize);
      if (s > 0) largest = std::max(largest, std::fabs(moment_[j][size_]) / s);
    }
    return static_cast<double>(largest);
  }

  PlainFit fit(double lambda, bool standardize, double alpha = 1, int max_sweeps = 1000000) const {
    std::vector<long double> b(size_, 0);
    int sweeps = 0;
    long double change = 1, scale = 1;
    while (sweeps < max_sweeps && change > 1e-18L * scale) {
      std::tie(change, scale) = sweep(b, lambda, standardize, alpha);
      ++sweeps;
    }
    PlainFit result = report(b);
    result.kkt = kkt(result.coefficients, lambda, standardize, alpha);
    result.sweeps = sweeps;
    return result;
  }

  double kkt(const std::vector<double>& coefficients, double lambda, bool standardize, double alpha = 1) const {
    const long double l1 = static_cast<long double>(lambda) * alpha;
    const std::vector<long double> b(coefficients.begin(), coefficients.end());
    long double worst = 0;
    for (std::size_t j = 0; j < size_; ++j) {
      const long double s = exact_weight(j, standardize);
      const long double g = gradient(b, j) - static_cast<long double>(lambda) * (1 - alpha) * s * s * b[j];
      if (s == 0) {
        if (b[j] != 0) return INFINITY;
        continue;
      }
      const long double sign = b[j] > 0 ? 1 : -1;
      const long double excess = b[j] != 0 ? std::fabs(g / s - sign * l1) : std::max(0.0L, std::fabs(g / s) - l1);
      worst = std::max(worst, excess);
    }
    return static_cast<double>(worst / lambda_max(standardize));
  }

  // Returns R^2 of any coefficients, with the best intercept.
  double r_squared(const std::vector<double>& coefficients) const {
    return report({coefficients.begin(), coefficients.end()}).r_squared;
  }

 private:
  // Returns the centred values, and appends their mean to means_.
  std::vector<long double> centre(const std::vector<double>& values) {
    long double sum = 0;
    for (const double v : values) sum += v;
    means_.push_back(sum / static_cast<long double>(values.size()));
    // A constant column becomes exactly zero, in spite of the rounding of its mean.
    std::vector<long double> result;
    const bool constant = std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
    for (const double v : values) result.push_back(constant ? 0 : v - means_.back());
    return result;
  }

  static long double product(const std::vector<long double>& a, const std::vector<long double>& b) {
    long double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum / static_cast<long double>(a.size());
  }

  long double exact_weight(std::size_t j, bool standardize) const {
    if (moment_[j][j] <= 0) return 0;
    return standardize ? std::sqrt(moment_[j][j]) : 1;
  }

  long double gradient(const std::vector<long double>& b, std::size_t j) const {
    long double g = moment_[j][size_];
    for (std::size_t k = 0; k < size_; ++k) g -= moment_[j][k] * b[k];
    return g;
  }

  // Makes one pass over all columns. Returns the largest change and the largest coefficient, both multiplied by the
  // standard deviation of their column.
  std::pair<long double, long double> sweep(std::vector<long double>& b, long double lambda, bool standardize,
                                            long double alpha) const {
    long double change = 0, scale = 0;
    for (std::size_t j = 0; j < size_; ++j) {
      const long double variance = moment_[j][j];
      if (variance <= 0) continue;
      const long double weight = exact_weight(j, standardize), threshold = lambda * alpha * weight;
      const long double full = gradient(b, j) + variance * b[j];
      const long double shrunk = std::max(std::fabs(full) - threshold, 0.0L);
      const long double next = std::copysign(shrunk, full) / (variance + lambda * (1 - alpha) * weight * weight);
      change = std::max(change, std::fabs(next - b[j]) * std::sqrt(variance));
      scale = std::max(scale, std::fabs(next) * std::sqrt(variance));
      b[j] = next;
    }
    return {change, scale};
  }

  PlainFit report(const std::vector<long double>& b) const {
    PlainFit result;
    long double intercept = means_[size_], explained = 0;
    for (std::size_t j = 0; j < size_; ++j) {
      intercept -= b[j] * means_[j];
      explained += b[j] * (gradient(b, j) + moment_[j][size_]);
      result.coefficients.push_back(static_cast<double>(b[j]));
    }
    result.intercept = static_cast<double>(intercept);
    result.r_squared = static_cast<double>(explained / moment_[size_][size_]);
    return result;
  }

  std::size_t size_;
  std::vector<long double> means_;
  std::vector<std::vector<long double>> moment_;  // covariances (1/n) of the columns, the outcome last
};

}  // namespace pgmpc::test
