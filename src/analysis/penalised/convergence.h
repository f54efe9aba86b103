// The stop bit of the iterative solvers: one bit is opened every kCheckEvery iterations (rule F17). Its rounds are
// those of the iterations.
//
// Terms
// The step is the change of the iterate in one iteration. An iteration has converged when
// |step|^2 <= 2^-(2 step_bits) |z|^2.
#pragma once
#include "algebra/fixed.h"
#include "mpc/task_group.h"

namespace pgmpc {

inline constexpr int kCheckEvery = 5;
inline constexpr int kLengthBound = 88;  // bits of |z|^2 and |step|^2, 2F of them fractional

// What an iterative solver returns: the last iterate, and whether it converged.
struct Solution {
  FpVector z;  // F bits
  int iterations = 0;
  bool converged = false;
};

// Runs the checks of one problem, at most one at a time. The destructor cancels a check that still runs.
class StopBit {
 public:
  // problem: number of the problem, part of the gate labels. allowed: the task of the precheck. No stop bit is opened
  // before it has ended; it throws when the study is refused. Null: nothing to wait for.
  StopBit(const Fixed& fixed, TaskGroup& tasks, std::uint32_t problem, std::size_t coordinates,
          TaskGroup::Handle allowed);
  ~StopBit();
  StopBit(const StopBit&) = delete;
  StopBit& operator=(const StopBit&) = delete;

  // Called once after iteration k. Returns true as soon as a check has found that the iteration converged. Starts the
  // next check when one is due, of the step from `before` to `now`. last: k is the last iteration allowed.
  bool after(int k, bool last, const FpVector& z, const FpVector& now, const FpVector& before, int step_bits);
  // Called after the last iteration. Returns the result of the check that still runs.
  bool wait();

 private:
  bool converged(int k, Fp moved, Fp length, int step_bits) const;

  const Fixed& fixed_;
  TaskGroup& tasks_;
  std::uint32_t problem_;
  std::size_t coordinates_;
  TaskGroup::Handle allowed_;
  TaskGroup::Handle check_;
  bool converged_ = false;
};

// Returns the iteration number of the gate labels for iteration k of a problem.
std::uint32_t iteration_label(std::uint32_t problem, int k);
// Throws Error(invalid_parameter) when there are more iterations than labels: 65535 at most.
void check_iterations(int max_iterations);

}  // namespace pgmpc
