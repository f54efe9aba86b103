// Implements SAM-ADMM on shares.
#include "analysis/penalised/solver.h"

#include <optional>

#include "analysis/penalised/metric.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {
constexpr int kRefreshes = 12;
constexpr int kThresholdResolution = 27;  // fractional bits at which a soft threshold decides; it is continuous there
constexpr int kRatioBits = 10;            // of Metric::ratio
constexpr std::uint32_t kInversesPerProblem = 64;

// Relative step, 2^-admm_step_bits, below which iteration k counts as converged: 2^-24, less strict in long runs. With
// equal columns the split between them drifts for ever at the rounding of the correlations, about 2^-24 per step. Steps
// of 2^-20 still mean errors below 5e-7 (measured in fixed point on real and synthetic data).
int admm_step_bits(int k) { return k < 80 ? 24 : k < 120 ? 22 : 20; }

class SamAdmm {
 public:
  SamAdmm(const Fixed& fixed, TaskGroup& tasks, const Problem& problem, const Matrix& inverse,
          const TaskGroup::Handle& allowed, const CancelToken& cancel)
      : fixed_(fixed),
        s_(fixed.session),
        tasks_(tasks),
        problem_(problem),
        cancel_(cancel),
        d_(problem.b.size()),
        z_(d_),
        w_(d_),
        metric_(start_metric(fixed, next_inverse(), inverse, *problem.gram, problem.b, problem.thresholds)),
        stop_(fixed, tasks, problem.index, d_, allowed) {}
  ~SamAdmm() {
    if (refresh_) tasks_.cancel(refresh_);
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
      solution.converged = stop_.after(k, k == max_iterations, z_, w_, previous_w_, admm_step_bits(k));
    }
    if (!solution.converged) solution.converged = stop_.wait();
    solution.z = std::move(z_);
    return solution;
  }

 private:
  std::uint32_t next_inverse() { return problem_.index * kInversesPerProblem + ++inverses_; }

  // Takes one over-relaxed step, two rounds. |w| <= |z| + t/R and t/R <= 96, so raw values and thresholds together stay
  // below 2^8 for |z| < 64. want_gates: keep the secret gate bits.
  void step(int k, bool want_gates) {
    const Fp relaxation = Fp::from_int(k % 2 == 0 ? 1 : 2);
    // dual = w - z. The step of relaxation 1 is M b - M G z - M R dual. A change of the metric keeps R dual, so w
    // becomes z + dual R_old / R, which is opened beside the step.
    FpVector dual(d_), values(2 * d_);
    for (std::size_t j = 0; j < d_; ++j) dual[j] = w_[j] - z_[j];
    const FpVector pull = multiply(metric_.gram, z_), push = multiply(changed_ ? metric_.before : metric_.scaled, dual);
    for (std::size_t j = 0; j < d_; ++j) {
      const Fp w = changed_
                       ? shifted(z_[j], fixed_.bits) + shifted(dual[j] * metric_.ratio[j], fixed_.bits - kRatioBits)
                       : shifted(w_[j], fixed_.bits);
      const Fp raw = w + relaxation * (shifted(metric_.offset[j], fixed_.bits) - pull[j] - push[j]);
      const Fp threshold = shifted(metric_.scaled_threshold[j], fixed_.bits);
      values[j] = raw - threshold;
      values[d_ + j] = -raw - threshold;
      values.push_back(raw);
      if (changed_) dual[j] = w;
    }
    if (changed_) values.insert(values.end(), dual.begin(), dual.end());
    ReluResult r =
        relu_and_truncate(s_, fixed_.label(Phase::solver, iteration_label(problem_.index, k), 1), values, 2 * d_,
                          fixed_.bits, 2 * fixed_.bits - kThresholdResolution, solver_bound(fixed_.bits), want_gates);
    const auto middle = r.rest.begin() + static_cast<std::ptrdiff_t>(d_);
    previous_w_ = changed_ ? FpVector(middle, r.rest.end()) : std::move(w_);
    w_ = FpVector(r.rest.begin(), middle);
    for (std::size_t j = 0; j < d_; ++j) z_[j] = r.relu[j] - r.relu[d_ + j];
    gates_ = std::move(r.active);
    changed_ = false;
  }

  void begin_refresh() {
    ++refreshes_;
    refresh_ = tasks_.spawn([this, id = next_inverse(), gates = std::make_shared<FpVector>(std::move(gates_))] {
      next_metric_ =
          support_metric(fixed_, id, *problem_.gram, problem_.b, problem_.thresholds, *gates, metric_.weight, cancel_);
    });
  }

  void install() {
    refresh_.reset();
    metric_ = std::move(*next_metric_);
    next_metric_.reset();
    changed_ = true;
  }

  const Fixed& fixed_;
  Session& s_;
  TaskGroup& tasks_;
  const Problem& problem_;
  const CancelToken& cancel_;
  std::size_t d_;
  std::uint32_t inverses_ = 0;
  int refreshes_ = 0;
  FpVector z_, w_, previous_w_, gates_;
  Metric metric_;
  bool changed_ = false;  // whether the metric changed since the last step
  std::optional<Metric> next_metric_;
  TaskGroup::Handle refresh_;
  StopBit stop_;
};
}  // namespace

std::uint32_t start_inverse_id() { return 0; }

std::uint32_t own_inverse_id(std::uint32_t problem) { return problem * kInversesPerProblem + kInversesPerProblem - 1; }

Solution solve_lasso(const Fixed& fixed, TaskGroup& tasks, const Problem& problem, const Matrix& inverse,
                     const TaskGroup::Handle& allowed, int max_iterations, const CancelToken& cancel,
                     const IterationCallback& progress) {
  check_iterations(max_iterations);
  return SamAdmm(fixed, tasks, problem, inverse, allowed, cancel).run(max_iterations, progress);
}

}  // namespace pgmpc
