// Implements the metrics of SAM-ADMM.
#include "analysis/penalised/metric.h"

#include "algebra/inverse.h"

namespace pgmpc {

namespace {
constexpr int kWeightBits = 6, kReciprocalBits = 4;      // units of R and of 1/R
constexpr int kStartWeight = 32, kStartReciprocal = 32;  // R = 1/2
constexpr int kOffWeight = 1024, kOffReciprocal = 1;     // R = 16 off the support
constexpr int kOnWeight = 1, kOnReciprocal = 1024;       // R = 1/64 on it

// Appends the entries of M times a diagonal matrix.
void append_scaled(FpVector& out, const Matrix& m, const FpVector& diagonal) {
  for (std::size_t i = 0; i < m.size; ++i)
    for (std::size_t j = 0; j < m.size; ++j) out.push_back(m(i, j) * diagonal[j]);
}

// Computes all products in one round. old_weight: weights of the previous metric, or null; adds `before` and `ratio`.
Metric products(const Fixed& fixed, std::uint32_t id, const Matrix& m, const Matrix& gram, const FpVector& b,
                const FpVector& thresholds, FpVector weight, const FpVector& reciprocal, const FpVector* old_weight) {
  Session& s = fixed.session;
  const std::size_t d = b.size(), square = d * d;
  FpVector values = product(m, gram, Entries::all);
  values.reserve(3 * square + 3 * d);
  append_scaled(values, m, weight);
  if (old_weight != nullptr) append_scaled(values, m, *old_weight);
  const std::size_t olds = old_weight != nullptr ? 1 : 0, at = (2 + olds) * square;
  const FpVector mb = multiply(m, b);
  values.insert(values.end(), mb.begin(), mb.end());
  for (std::size_t j = 0; j < d; ++j) values.push_back(thresholds[j] * reciprocal[j]);
  if (old_weight != nullptr)
    for (std::size_t j = 0; j < d; ++j) values.push_back((*old_weight)[j] * reciprocal[j]);
  const Stretch bounds[] = {{square, gram_bound(fixed.bits)},
                            {square, scaled_bound(fixed.bits)},
                            {olds * square, before_bound(fixed.bits)},
                            {d, offset_bound(fixed.bits, d)},
                            {(1 + olds) * d, threshold_bound(fixed.bits)}};
  const Opened opened = masked_open(s, fixed.label(Phase::refresh, id, 1), values, bounds);
  const auto matrix = [&](std::size_t first, int shift) {
    Matrix out;
    out.size = d;
    out.at = truncated(s, opened, shift, first, square);
    return out;
  };
  Metric out;
  out.gram = matrix(0, fixed.bits);
  out.scaled = matrix(square, kWeightBits);
  out.offset = truncated(s, opened, fixed.bits, at, d);
  out.scaled_threshold = truncated(s, opened, kReciprocalBits, at + d, d);
  if (old_weight != nullptr) {
    out.before = matrix(2 * square, kWeightBits);
    out.ratio = truncated(s, opened, 0, at + 2 * d, d);
  }
  out.weight = std::move(weight);
  return out;
}

// Returns `on` where active is 1, else `off`.
Fp chosen(Fp active, int off, int on) { return Fp::from_int(off) + active * Fp::from_int(on - off); }
}  // namespace

Metric start_metric(const Fixed& fixed, std::uint32_t id, const Matrix& inverse, const Matrix& gram, const FpVector& b,
                    const FpVector& thresholds) {
  FpVector weight(b.size()), reciprocal(b.size());
  for (Fp& x : weight) x = Fp::from_int(kStartWeight);
  for (Fp& x : reciprocal) x = Fp::from_int(kStartReciprocal);
  return products(fixed, id, inverse, gram, b, thresholds, std::move(weight), reciprocal, nullptr);
}

Metric support_metric(const Fixed& fixed, std::uint32_t id, const Matrix& gram, const FpVector& b,
                      const FpVector& thresholds, const FpVector& gates, const FpVector& old_weight,
                      const CancelToken& cancel) {
  const std::size_t d = b.size();
  // Both gates of a coordinate are 1 when its threshold is below the resolution of the comparison. So the bits are
  // joined with "or", not added. The result has degree 2; the first round of the inverse reduces it.
  FpVector active(d);
  for (std::size_t j = 0; j < d; ++j) active[j] = gates[j] + gates[d + j] - gates[j] * gates[d + j];
  Matrix a = gram.clone();
  for (std::size_t j = 0; j < d; ++j)
    a(j, j) += shifted(chosen(active[j], kOffWeight, kOnWeight), fixed.bits - kWeightBits);
  const ApproximateInverse m =
      approximate_inverse(fixed, id, upper(a), active, static_cast<double>(d) + kMostMetric, kLeastMetric, cancel);
  FpVector weight(d), reciprocal(d);
  for (std::size_t j = 0; j < d; ++j) {
    weight[j] = chosen(m.bits[j], kOffWeight, kOnWeight);
    reciprocal[j] = chosen(m.bits[j], kOffReciprocal, kOnReciprocal);
  }
  return products(fixed, id, m.matrix, gram, b, thresholds, std::move(weight), reciprocal, &old_weight);
}

}  // namespace pgmpc
