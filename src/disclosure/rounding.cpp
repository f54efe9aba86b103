// Implements the rounding of shared numbers.
#include "disclosure/rounding.h"

#include <algorithm>

#include "mpc/comparison.h"

namespace pgmpc {

namespace {
// Most bits that a value loses when it is rounded, so that the comparison of the lost bits fits an opening.
constexpr int kMostShift = 80;
}  // namespace

int Rounding::add(const Fp& value, int exponent, Fp* out) {
  const int lost = std::clamp(bits_ + exponent, bits_ - kReleaseBits, kMostShift);
  Group& group = groups_[lost];
  group.values.push_back(value);
  group.out.push_back(out);
  return lost - bits_;
}

void Rounding::start(std::vector<TaskGroup::Handle>& running) {
  for (auto& [shift, group] : groups_)
    running.push_back(tasks_.spawn([this, lost = shift, g = &group] {
      const FpVector rounded =
          exact_truncate(fixed_.session, fixed_.label(Phase::release, 0, first_gate_ + lost), g->values, lost, bound_);
      for (std::size_t i = 0; i < rounded.size(); ++i) *g->out[i] = shifted(rounded[i], lost - bits_ + kReleaseBits);
    }));
}

void round_together(TaskGroup& tasks, std::initializer_list<Rounding*> roundings) {
  std::vector<TaskGroup::Handle> running;
  for (Rounding* each : roundings) each->start(running);
  for (const auto& task : running) tasks.join(task);
}

}  // namespace pgmpc
