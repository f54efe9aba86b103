// Implements leverage and VIF of a node's own design in the clear, in three passes.
#include "disclosure/own_design.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace pgmpc {

namespace {
constexpr double kMostValue = 1e100;  // a study refuses larger values by the column's name; here they count as missing
constexpr double kRidge = 0x1p-10;
constexpr double kSingular = 1e-9;  // smaller pivots count as 0
constexpr double kMostVif = 1e9;

bool missing(double value) { return !(std::fabs(value) <= kMostValue); }

// Inverts a symmetric positive definite matrix by Cholesky's method. Returns false when a pivot is not above kSingular.
bool invert_in_place(std::vector<double>& a, std::size_t d) {
  std::vector<double> l(d * d, 0.0);
  for (std::size_t j = 0; j < d; ++j) {
    double pivot = a[j * d + j];
    for (std::size_t k = 0; k < j; ++k) pivot -= l[j * d + k] * l[j * d + k];
    if (!(pivot > kSingular)) return false;
    l[j * d + j] = std::sqrt(pivot);
    for (std::size_t i = j + 1; i < d; ++i) {
      double sum = a[i * d + j];
      for (std::size_t k = 0; k < j; ++k) sum -= l[i * d + k] * l[j * d + k];
      l[i * d + j] = sum / l[j * d + j];
    }
  }
  std::vector<double> column(d);
  for (std::size_t c = 0; c < d; ++c) {
    for (std::size_t i = 0; i < d; ++i) {
      double sum = i == c ? 1.0 : 0.0;
      for (std::size_t k = 0; k < i; ++k) sum -= l[i * d + k] * column[k];
      column[i] = sum / l[i * d + i];
    }
    for (std::size_t i = d; i-- > 0;) {
      double sum = column[i];
      for (std::size_t k = i + 1; k < d; ++k) sum -= l[k * d + i] * column[k];
      column[i] = sum / l[i * d + i];
    }
    for (std::size_t i = 0; i < d; ++i) a[i * d + c] = column[i];
  }
  return true;
}
}  // namespace

DesignCheck::DesignCheck(std::size_t columns) : count_(columns), first_(columns), mean_(columns), squares_(columns) {}

void DesignCheck::add(std::span<const double> record) {
  if (record.size() != mean_.size()) throw Error(ErrorCode::internal, "records of a design differ in their columns");
  if (pass_ == 0) return add_moments(record);
  standardise(record);
  const std::size_t d = varying_.size();
  if (pass_ == 1) {
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = i; j < d; ++j) gram_[i * d + j] += z_[i] * z_[j];
    return;
  }
  double leverage = 0;
  for (std::size_t i = 0; i < d; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < d; ++j) sum += inverse_[i * d + j] * z_[j];
    leverage += z_[i] * sum;
  }
  leverage /= static_cast<double>(figures_.records);
  figures_.max_leverage = std::max(figures_.max_leverage, leverage);
  figures_.sum_squares += leverage * leverage;
}

void DesignCheck::end_pass() {
  if (pass_ == 0) {
    for (std::size_t c = 0; c < mean_.size(); ++c)
      if (squares_[c] > 0) varying_.push_back(c);
    figures_.columns = static_cast<int>(varying_.size());
    z_.resize(varying_.size());
    gram_.resize(varying_.size() * varying_.size());
  } else if (pass_ == 1) {
    invert();
  }
  ++pass_;
}

void DesignCheck::add_moments(std::span<const double> record) {
  ++figures_.records;
  for (std::size_t c = 0; c < mean_.size(); ++c) {
    if (missing(record[c])) continue;
    if (count_[c] == 0) first_[c] = record[c];
    count_[c] += 1;
    const double value = record[c] - first_[c], step = value - mean_[c];
    mean_[c] += step / count_[c];
    squares_[c] += step * (value - mean_[c]);
  }
}

void DesignCheck::standardise(std::span<const double> record) {
  for (std::size_t i = 0; i < varying_.size(); ++i) {
    const std::size_t c = varying_[i];
    // Scaled so that the squares of all records, missing ones included, sum to the number of records.
    z_[i] = missing(record[c])
                ? 0
                : (record[c] - first_[c] - mean_[c]) / std::sqrt(squares_[c] / static_cast<double>(figures_.records));
  }
}

void DesignCheck::invert() {
  const std::size_t d = varying_.size();
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = i; j < d; ++j) {
      gram_[i * d + j] /= static_cast<double>(figures_.records);
      gram_[j * d + i] = gram_[i * d + j];
    }
  inverse_ = gram_;
  std::vector<double> exact = gram_;
  for (std::size_t i = 0; i < d; ++i) inverse_[i * d + i] += kRidge;
  (void)invert_in_place(inverse_, d);
  const bool regular = invert_in_place(exact, d);
  for (std::size_t i = 0; i < d; ++i)
    figures_.max_vif = std::max(figures_.max_vif, regular ? exact[i * d + i] : kMostVif);
}

}  // namespace pgmpc
