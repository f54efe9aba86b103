#include "regression/solver.h"

#include "base/error.h"
#include "mpc/comparison.h"
#include "regression/inverse.h"

namespace pgmpc {

namespace {
// The metric in units of 1/64 and its reciprocal in units of 1/4 are small integers.
constexpr int kStartMetric = 32, kStartReciprocal = 8;                // R = 1/2
constexpr int kOffMetric = 256, kOffReciprocal = 1;                   // R = 4 off the support
constexpr int kOnMetric = 1, kOnReciprocal = 256;                     // R = 1/64 on it
constexpr double kLeastMetric = 1.0 / 64, kMostMetric = 4;
constexpr int kFirstRefresh = 10, kRefreshEvery = 5, kRefreshes = 12;
constexpr int kThresholdResolution = 27;  // fractional bits at which soft thresholds decide (continuous there)
// Relative step below which a run counts as converged: 2^-24, and less strict once all refreshes are long done. With
// equal columns the split between them drifts for ever at the rounding of the correlations (about 2^-24 per step);
// steps of 2^-20 still mean errors below 5e-7 (lasso report, stop rule).
int step_bits(int k) { return k < 80 ? 24 : k < 120 ? 22 : 20; }
constexpr std::uint32_t kIterationsPerProblem = 1u << 16, kInversesPerProblem = 64;

// State and metric of one run. Member functions are the phases of an iteration.
class SamAdmm {
 public:
  // |w| <= |z| + t/R and t/R <= 96: raw values and thresholds together stay below 2^8 for |z| < 64.
  SamAdmm(const Fixed& fixed, std::uint32_t problem, const Matrix& gram, const FpVector& b, const FpVector& thresholds,
          const CancelToken& cancel)
      : fixed_(fixed), s_(fixed.session), problem_(problem), gram_(gram), b_(b), t_(thresholds), cancel_(cancel),
        d_(b.size()), z_(d_), w_(d_), metric_(d_), scaled_inverse_(d_) {
    for (std::size_t j = 0; j < d_; ++j) metric_[j] = Fp::from_int(kStartMetric);
    FpVector reciprocal(d_);
    for (Fp& r : reciprocal) r = Fp::from_int(kStartReciprocal);
    install(metric_.clone(), reciprocal, 0.5, 0.5);
  }

  // One over-relaxed step. Fills active_ with the secret support bits when asked to.
  void step(int k, bool want_active) {
    FpVector v(d_), values(3 * d_);
    for (std::size_t j = 0; j < d_; ++j) v[j] = z_[j] + z_[j] - w_[j];
    const FpVector moved = multiply(scaled_inverse_, v);
    const Fp three = Fp::from_int(3);
    for (std::size_t j = 0; j < d_; ++j) {
      // twice the new point, 2F fractional bits: 3 (MR v + Mb - z) + 2 w
      const Fp raw = three * moved[j] + shifted(three * (offset_[j] - z_[j]) + w_[j] + w_[j], fixed_.bits);
      const Fp threshold = shifted(scaled_threshold_[j], fixed_.bits + 1);
      values[j] = raw - threshold;
      values[d_ + j] = -raw - threshold;
      values[2 * d_ + j] = raw;
    }
    const int shift = fixed_.bits + 1;
    const ReluResult r = relu_and_truncate(s_, label(Phase::solver, iteration(k), 1), values, 2 * d_, shift,
                                           shift + fixed_.bits - kThresholdResolution, 2 * fixed_.bits + 9, want_active);
    previous_w_ = std::move(w_);
    w_ = r.rest.clone();
    for (std::size_t j = 0; j < d_; ++j) z_[j] = r.relu[j] - r.relu[d_ + j];
    if (want_active) {
      active_.resize(d_);
      // Both gates can be open where the threshold is below the resolution of the comparison: "or", not a sum.
      for (std::size_t j = 0; j < d_; ++j)
        active_[j] = r.active[j] + r.active[d_ + j] - r.active[j] * r.active[d_ + j];
      active_ = truncate(s_, label(Phase::solver, iteration(k), 2), active_, 0, 2);
    }
  }

  // Opens one bit: |w' - w|^2 <= 2^-(2 step_bits) |z|^2 (+ the rounding of d coordinates).
  bool converged(int k) {
    Fp moved, length;
    for (std::size_t j = 0; j < d_; ++j) {
      const Fp step = w_[j] - previous_w_[j];
      moved += step * step;
      length += z_[j] * z_[j];
    }
    constexpr int kKeep = 64;  // fractional bits of the comparison
    const int drop = 2 * fixed_.bits - kKeep;
    const FpVector both = {moved, length};
    const Opened opened = masked_open(s_, label(Phase::stop, iteration(k), 1), both, 88);
    const FpVector step = truncated(s_, opened, drop, 0, 1), bound = truncated(s_, opened, drop + 2 * step_bits(k), 1, 1);
    // Each coordinate of w carries a few units of rounding noise: (8 * 2^-F)^2 per coordinate.
    const Fp slack = Fp::from_int(static_cast<std::int64_t>(d_) << (6 - drop > 0 ? 6 - drop : 0));
    const FpVector gap = {bound[0] - step[0] + slack};
    const std::vector<i128> zero = {0};
    const FpVector bit = at_least(s_, label(Phase::stop, iteration(k), 2), gap, zero);
    return open(s_, bit)[0] == Fp::from_int(1);
  }

  // New metric from the support bits: R = 1/64 where active, 4 elsewhere. Keeps the scaled dual variable.
  void refresh() {
    FpVector metric(d_), reciprocal(d_), products(d_);
    for (std::size_t j = 0; j < d_; ++j) {
      metric[j] = Fp::from_int(kOffMetric) + active_[j] * Fp::from_int(kOnMetric - kOffMetric);
      reciprocal[j] = Fp::from_int(kOffReciprocal) + active_[j] * Fp::from_int(kOnReciprocal - kOffReciprocal);
      products[j] = metric_[j] * reciprocal[j];  // 256 * R_old / R_new
    }
    install(metric.clone(), reciprocal, kMostMetric, kLeastMetric);
    const FpVector ratio = truncate(s_, label(Phase::refresh, inverses(), 2), products, 0, 20);
    FpVector dual(d_);
    for (std::size_t j = 0; j < d_; ++j) dual[j] = (w_[j] - z_[j]) * ratio[j];
    const FpVector scaled = truncate(s_, label(Phase::refresh, inverses(), 3), dual, 8, 70);
    for (std::size_t j = 0; j < d_; ++j) w_[j] = z_[j] + scaled[j];
    metric_ = std::move(metric);
  }

  FpVector take_z() { return std::move(z_); }

 private:
  std::uint32_t iteration(int k) const { return problem_ * kIterationsPerProblem + static_cast<std::uint32_t>(k); }
  std::uint32_t inverses() const { return problem_ * kInversesPerProblem + inverse_count_; }

  // M = (G + R)^-1, then M R, M b and t / R in one round.
  void install(const FpVector& metric, const FpVector& reciprocal, double most, double least) {
    ++inverse_count_;
    Matrix a = gram_.clone();
    for (std::size_t j = 0; j < d_; ++j) a(j, j) += shifted(metric[j], fixed_.bits - 6);
    const Matrix m = inverse(fixed_, inverses(), a, static_cast<double>(d_) + most, least, cancel_);
    FpVector values(d_ * d_);
    for (std::size_t i = 0; i < d_; ++i)
      for (std::size_t j = 0; j < d_; ++j) values[i * d_ + j] = m(i, j) * metric[j];
    const FpVector mb = multiply(m, b_);
    values.insert(values.end(), mb.begin(), mb.end());
    for (std::size_t j = 0; j < d_; ++j) values.push_back(t_[j] * reciprocal[j]);
    // |M b| <= |b| / least <= 64 sqrt(d); the other values are narrower.
    const int bound = 2 * fixed_.bits + 7 + static_cast<int>(std::ceil(std::log2(static_cast<double>(d_)) / 2));
    const Opened opened = masked_open(s_, label(Phase::refresh, inverses(), 1), values, bound);
    scaled_inverse_.at = truncated(s_, opened, 6, 0, d_ * d_);
    offset_ = truncated(s_, opened, fixed_.bits, d_ * d_, d_);
    scaled_threshold_ = truncated(s_, opened, 2, d_ * d_ + d_, d_);
  }

  const Fixed& fixed_;
  Session& s_;
  std::uint32_t problem_;
  const Matrix& gram_;
  const FpVector& b_;
  const FpVector& t_;
  const CancelToken& cancel_;
  std::size_t d_;
  FpVector z_, w_, previous_w_, active_, metric_;
  Matrix scaled_inverse_;        // M R
  FpVector offset_;              // M b
  FpVector scaled_threshold_;    // t / R
  std::uint32_t inverse_count_ = 0;
};
}  // namespace

Solution solve_lasso(const Fixed& fixed, std::uint32_t problem, const Matrix& gram, const FpVector& b,
                     const FpVector& thresholds, int max_iterations, const CancelToken& cancel,
                     const IterationCallback& progress) {
  if (max_iterations >= static_cast<int>(kIterationsPerProblem))
    throw Error(ErrorCode::invalid_parameter, "too many iterations");
  SamAdmm admm(fixed, problem, gram, b, thresholds, cancel);
  Solution solution;
  int refreshes = 0;
  for (int k = 1; k <= max_iterations && !solution.converged; ++k) {
    const bool check = k % kCheckEvery == 0 || k == max_iterations;
    const bool refresh = refreshes < kRefreshes && k >= kFirstRefresh && k % kRefreshEvery == 0;
    admm.step(k, refresh);
    solution.iterations = k;
    if (progress) progress(k);
    if (check) solution.converged = admm.converged(k);
    if (refresh && !solution.converged) {
      admm.refresh();
      ++refreshes;
    }
  }
  solution.z = admm.take_z();
  return solution;
}

}  // namespace pgmpc
