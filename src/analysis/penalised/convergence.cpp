// Implements the stop bit as a task that runs beside the iterations.
#include "analysis/penalised/convergence.h"

#include "base/error.h"
#include "base/mutants.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {
constexpr std::uint32_t kIterationsPerProblem = 1u << 16;
}  // namespace

std::uint32_t iteration_label(std::uint32_t problem, int k) {
  return problem * kIterationsPerProblem + static_cast<std::uint32_t>(k);
}

void check_iterations(int max_iterations) {
  if (max_iterations >= static_cast<int>(kIterationsPerProblem))
    throw Error(ErrorCode::invalid_parameter, "too many iterations");
}

StopBit::StopBit(const Fixed& fixed, TaskGroup& tasks, std::uint32_t problem, std::size_t coordinates,
                 TaskGroup::Handle allowed)
    : fixed_(fixed), tasks_(tasks), problem_(problem), coordinates_(coordinates), allowed_(std::move(allowed)) {}

StopBit::~StopBit() {
  if (check_) tasks_.cancel(check_);
}

bool StopBit::after(int k, bool last, const FpVector& z, const FpVector& now, const FpVector& before, int step_bits) {
  if (check_ && tasks_.done(check_)) {
    check_.reset();
    if (converged_) return true;
  }
  if (check_ || (k % kCheckEvery != 0 && !last)) return false;
  Fp moved, length;
  for (std::size_t j = 0; j < z.size(); ++j) {
    const Fp step = now[j] - before[j];
    moved += step * step;
    length += z[j] * z[j];
  }
  check_ = tasks_.spawn([this, k, moved, length, step_bits] { converged_ = converged(k, moved, length, step_bits); });
  return false;
}

bool StopBit::wait() {
  if (!check_) return converged_;
  tasks_.join(check_);
  check_.reset();
  return converged_;
}

bool StopBit::converged(int k, Fp moved, Fp length, int step_bits) const {
  constexpr int kKeep = 64;  // fractional bits of the comparison
  Session& s = fixed_.session;
  const int drop = 2 * fixed_.bits - kKeep;
  const FpVector both = {moved, length};
  const Opened opened = masked_open(s, fixed_.label(Phase::stop, iteration_label(problem_, k), 1), both, kLengthBound);
  const FpVector step = truncated(s, opened, drop, 0, 1);
  const FpVector bound = truncated(s, opened, drop + 2 * step_bits, 1, 1);
  // Each coordinate carries a few units of rounding noise: (8 * 2^-F)^2 per coordinate.
  const Fp slack = Fp::from_int(static_cast<std::int64_t>(coordinates_) << std::max(0, 6 - drop));
  const FpVector gap = {bound[0] - step[0] + slack};
  const std::vector<i128> zero = {0};
  const FpVector bit = at_least(s, fixed_.label(Phase::stop, iteration_label(problem_, k), 2), gap, zero);
  if (allowed_ && !mutant(Mutant::rules_not_awaited)) tasks_.join(allowed_);
  return open_bit(s, static_cast<std::uint16_t>(Phase::stop), bit);
}

}  // namespace pgmpc
