#include "regression/metric.h"

#include "regression/inverse.h"

namespace pgmpc {

namespace {
constexpr int kStartWeight = 32, kStartReciprocal = 8;  // R = 1/2 in units of 1/64; 1/R in units of 1/4
constexpr int kOffWeight = 256, kOffReciprocal = 1;     // R = 4 off the support
constexpr int kOnWeight = 1, kOnReciprocal = 256;       // R = 1/64 on it

// M R, M b and t / R in one round; with old weights also 256 R_old / R.
Metric products(const Fixed& fixed, std::uint32_t id, const Matrix& m, const FpVector& b, const FpVector& thresholds,
                FpVector weight, const FpVector& reciprocal, const FpVector* old_weight) {
  Session& s = fixed.session;
  const std::size_t d = b.size();
  FpVector values(d * d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) values[i * d + j] = m(i, j) * weight[j];
  const FpVector mb = multiply(m, b);
  values.insert(values.end(), mb.begin(), mb.end());
  for (std::size_t j = 0; j < d; ++j) values.push_back(thresholds[j] * reciprocal[j]);
  if (old_weight != nullptr)
    for (std::size_t j = 0; j < d; ++j) values.push_back((*old_weight)[j] * reciprocal[j]);
  // M R <= 64 * 256 units; |M b| <= |b| / least <= 64 sqrt(d); t / R <= 1.5 * 256 units; 256 R_old / R <= 2^16.
  const int root = static_cast<int>(std::ceil(std::log2(static_cast<double>(d)) / 2));
  const Stretch bounds[] = {
      {d * d, fixed.bits + 15}, {d, 2 * fixed.bits + 7 + root}, {values.size() - d * d - d, fixed.bits + 10}};
  const Opened opened = masked_open(s, label(Phase::refresh, id, 1), values, bounds);
  Metric out;
  out.scaled_inverse = Matrix(d);
  out.scaled_inverse.at = truncated(s, opened, 6, 0, d * d);
  out.offset = truncated(s, opened, fixed.bits, d * d, d);
  out.scaled_threshold = truncated(s, opened, 2, d * d + d, d);
  if (old_weight != nullptr) out.ratio = truncated(s, opened, 0, d * d + 2 * d, d);
  out.weight = std::move(weight);
  return out;
}
}  // namespace

Metric start_metric(const Fixed& fixed, std::uint32_t id, const Matrix& inverse, const FpVector& b,
                    const FpVector& thresholds) {
  FpVector weight(b.size()), reciprocal(b.size());
  for (Fp& x : weight) x = Fp::from_int(kStartWeight);
  for (Fp& x : reciprocal) x = Fp::from_int(kStartReciprocal);
  return products(fixed, id, inverse, b, thresholds, std::move(weight), reciprocal, nullptr);
}

Metric support_metric(const Fixed& fixed, std::uint32_t id, const Matrix& gram, const FpVector& b,
                      const FpVector& thresholds, const FpVector& gates, const FpVector& old_weight,
                      const CancelToken& cancel) {
  const std::size_t d = b.size();
  // Both gates can be open where the threshold is below the resolution of the comparison: "or", not a sum.
  FpVector active(d);
  for (std::size_t j = 0; j < d; ++j) active[j] = gates[j] + gates[d + j] - gates[j] * gates[d + j];
  active = truncate(fixed.session, label(Phase::refresh, id, 2), active, 0, 2);
  FpVector weight(d), reciprocal(d);
  Matrix a = gram.clone();
  for (std::size_t j = 0; j < d; ++j) {
    weight[j] = Fp::from_int(kOffWeight) + active[j] * Fp::from_int(kOnWeight - kOffWeight);
    reciprocal[j] = Fp::from_int(kOffReciprocal) + active[j] * Fp::from_int(kOnReciprocal - kOffReciprocal);
    a(j, j) += shifted(weight[j], fixed.bits - 6);
  }
  const Matrix m = inverse(fixed, id, a, static_cast<double>(d) + kMostMetric, kLeastMetric, cancel);
  return products(fixed, id, m, b, thresholds, std::move(weight), reciprocal, &old_weight);
}

}  // namespace pgmpc
