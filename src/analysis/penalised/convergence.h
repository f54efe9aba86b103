// What: the stop bit of the iterative solvers: one opened bit every kCheckEvery iterations (rule F17), worked out in
// the
//       background of the iterations.
// Terms: step = change of the iterate in one iteration; converged = |step|^2 <= 2^-(2 step_bits) |z|^2.
#pragma once
#include "algebra/fixed.h"
#include "mpc/task_group.h"

namespace pgmpc {

inline constexpr int kCheckEvery = 5;
inline constexpr int kLengthBound = 88;  // bits of |z|^2 and |step|^2, 2F of them fractional

struct Solution {
  FpVector z;  // F bits
  int iterations = 0;
  bool converged = false;
};

class StopBit {
 public:
  // problem: keeps the labels of several problems apart. allowed: no bit is opened before this task has ended, the
  // precheck, which throws where the study is refused; null: nothing to wait for.
  StopBit(const Fixed& fixed, TaskGroup& tasks, std::uint32_t problem, std::size_t coordinates,
          TaskGroup::Handle allowed);
  ~StopBit();
  StopBit(const StopBit&) = delete;
  StopBit& operator=(const StopBit&) = delete;

  // To be called once after iteration k: true as soon as a check has found that the iteration converged. Starts the
  // next check where one is due, of the step from before to now.
  bool after(int k, bool last, const FpVector& z, const FpVector& now, const FpVector& before, int step_bits);
  // After the last iteration: the result of the check that still runs.
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

// Label number of iteration k of a problem.
std::uint32_t iteration_label(std::uint32_t problem, int k);
// Error(invalid_parameter) where the labels would not suffice.
void check_iterations(int max_iterations);

}  // namespace pgmpc
