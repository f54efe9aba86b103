#include "regression/solver.h"

#include <optional>

#include "base/error.h"
#include "mpc/comparison.h"
#include "regression/metric.h"

namespace pgmpc {

namespace {
constexpr int kFirstRefresh = 10, kRefreshes = 12;
constexpr int kThresholdResolution = 27;  // fractional bits at which soft thresholds decide (continuous there)
constexpr std::uint32_t kIterationsPerProblem = 1u << 16, kInversesPerProblem = 64;

// Relative step below which a run counts as converged: 2^-24, and less strict once all refreshes are long done. With
// equal columns the split between them drifts for ever at the rounding of the correlations (about 2^-24 per step);
// steps of 2^-20 still mean errors below 5e-7 (lasso report, stop rule).
int step_bits(int k) { return k < 80 ? 24 : k < 120 ? 22 : 20; }

// The stop bit as a background task: |w' - w|^2 <= 2^-(2 step_bits) |z|^2 (+ the rounding of d coordinates).
struct StopCheck {
  TaskGroup::Handle task;
  bool converged = false;
};

class SamAdmm {
 public:
  SamAdmm(const Fixed& fixed, TaskGroup& tasks, const LassoProblem& problem, const CancelToken& cancel)
      : fixed_(fixed),
        s_(fixed.session),
        tasks_(tasks),
        problem_(problem),
        cancel_(cancel),
        d_(problem.b.size()),
        z_(d_),
        w_(d_),
        metric_(start_metric(fixed, next_inverse(), problem.inverse, problem.b, problem.thresholds)) {}
  ~SamAdmm() {
    if (refresh_) tasks_.cancel(refresh_);
    if (check_.task) tasks_.cancel(check_.task);
  }

  Solution run(int max_iterations, const IterationCallback& progress) {
    Solution solution;
    for (int k = 1; k <= max_iterations && !solution.converged; ++k) {
      const bool start_refresh = refreshes_ < kRefreshes && k >= kFirstRefresh && !refresh_;
      step(k, start_refresh);
      solution.iterations = k;
      if (progress) progress(k);
      if (start_refresh) begin_refresh();
      if (refresh_ && tasks_.done(refresh_)) install();
      if (check_.task && tasks_.done(check_.task)) {
        solution.converged = check_.converged;
        check_.task.reset();
      }
      if (!check_.task && (k % kCheckEvery == 0 || k == max_iterations)) begin_check(k);
    }
    if (!solution.converged && check_.task) {
      tasks_.join(check_.task);
      solution.converged = check_.converged;
    }
    solution.z = std::move(z_);
    return solution;
  }

 private:
  std::uint32_t iteration(int k) const {
    return problem_.index * kIterationsPerProblem + static_cast<std::uint32_t>(k);
  }
  std::uint32_t next_inverse() { return problem_.index * kInversesPerProblem + ++inverses_; }

  // One over-relaxed step: two rounds. |w| <= |z| + t/R and t/R <= 96: raw values and thresholds together stay below
  // 2^8 for |z| < 64. Keeps the secret gate bits when asked to.
  void step(int k, bool want_gates) {
    FpVector v(d_), values(3 * d_);
    for (std::size_t j = 0; j < d_; ++j) v[j] = z_[j] + z_[j] - w_[j];
    const FpVector moved = multiply(metric_.scaled_inverse, v);
    const Fp three = Fp::from_int(3);
    for (std::size_t j = 0; j < d_; ++j) {
      // twice the new point, 2F fractional bits: 3 (MR v + Mb - z) + 2 w
      const Fp raw = three * moved[j] + shifted(three * (metric_.offset[j] - z_[j]) + w_[j] + w_[j], fixed_.bits);
      const Fp threshold = shifted(metric_.scaled_threshold[j], fixed_.bits + 1);
      values[j] = raw - threshold;
      values[d_ + j] = -raw - threshold;
      values[2 * d_ + j] = raw;
    }
    const int shift = fixed_.bits + 1;
    ReluResult r = relu_and_truncate(s_, label(Phase::solver, iteration(k), 1), values, 2 * d_, shift,
                                     shift + fixed_.bits - kThresholdResolution, 2 * fixed_.bits + 9, want_gates);
    previous_w_ = std::move(w_);
    w_ = std::move(r.rest);
    for (std::size_t j = 0; j < d_; ++j) z_[j] = r.relu[j] - r.relu[d_ + j];
    gates_ = std::move(r.active);
  }

  void begin_refresh() {
    ++refreshes_;
    refresh_ = tasks_.spawn([this, id = next_inverse(), gates = std::make_shared<FpVector>(std::move(gates_))] {
      next_metric_ =
          support_metric(fixed_, id, problem_.gram, problem_.b, problem_.thresholds, *gates, metric_.weight, cancel_);
    });
  }

  // Swaps the metric in, keeping the scaled dual variable: w = z + (w - z) R_old / R. One round.
  void install() {
    refresh_.reset();
    FpVector dual(d_);
    for (std::size_t j = 0; j < d_; ++j) dual[j] = (w_[j] - z_[j]) * next_metric_->ratio[j];
    const std::uint32_t id = problem_.index * kInversesPerProblem + inverses_;
    const FpVector scaled = truncate(s_, label(Phase::refresh, id, 3), dual, 8, 70);
    for (std::size_t j = 0; j < d_; ++j) w_[j] = z_[j] + scaled[j];
    metric_ = std::move(*next_metric_);
    next_metric_.reset();
  }

  void begin_check(int k) {
    Fp moved, length;
    for (std::size_t j = 0; j < d_; ++j) {
      const Fp step = w_[j] - previous_w_[j];
      moved += step * step;
      length += z_[j] * z_[j];
    }
    check_.task = tasks_.spawn([this, k, moved, length] { check_.converged = converged(k, moved, length); });
  }

  bool converged(int k, Fp moved, Fp length) {
    constexpr int kKeep = 64;  // fractional bits of the comparison
    const int drop = 2 * fixed_.bits - kKeep;
    const FpVector both = {moved, length};
    const Opened opened = masked_open(s_, label(Phase::stop, iteration(k), 1), both, 88);
    const FpVector step = truncated(s_, opened, drop, 0, 1);
    const FpVector bound = truncated(s_, opened, drop + 2 * step_bits(k), 1, 1);
    // Each coordinate of w carries a few units of rounding noise: (8 * 2^-F)^2 per coordinate.
    const Fp slack = Fp::from_int(static_cast<std::int64_t>(d_) << std::max(0, 6 - drop));
    const FpVector gap = {bound[0] - step[0] + slack};
    const std::vector<i128> zero = {0};
    const FpVector bit = at_least(s_, label(Phase::stop, iteration(k), 2), gap, zero);
    return open_bit(s_, static_cast<std::uint16_t>(Phase::stop), bit);
  }

  const Fixed& fixed_;
  Session& s_;
  TaskGroup& tasks_;
  const LassoProblem& problem_;
  const CancelToken& cancel_;
  std::size_t d_;
  std::uint32_t inverses_ = 0;
  int refreshes_ = 0;
  FpVector z_, w_, previous_w_, gates_;
  Metric metric_;
  std::optional<Metric> next_metric_;
  TaskGroup::Handle refresh_;
  StopCheck check_;
};
}  // namespace

std::uint32_t start_inverse_id() { return 0; }

Solution solve_lasso(const Fixed& fixed, TaskGroup& tasks, const LassoProblem& problem, int max_iterations,
                     const CancelToken& cancel, const IterationCallback& progress) {
  if (max_iterations >= static_cast<int>(kIterationsPerProblem))
    throw Error(ErrorCode::invalid_parameter, "too many iterations");
  return SamAdmm(fixed, tasks, problem, cancel).run(max_iterations, progress);
}

}  // namespace pgmpc
