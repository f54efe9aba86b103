// Rounds shared numbers to grids whose exponents are public.
//
// Invariants
// The rounding is an exact truncation: a zero stays zero, and what is opened is a function of the rounded number only
// (rule F16).
#pragma once
#include <initializer_list>
#include <map>
#include <vector>

#include "algebra/fixed.h"
#include "mpc/task_group.h"

namespace pgmpc {

// Rounds many numbers at once. Numbers that lose the same number of bits share a gate. Gates: Phase::release, iteration
// 0, first_gate and the numbers of lost bits.
class Rounding {
 public:
  // bits: fractional bits of the numbers. bound: they are below 2^bound.
  Rounding(const Fixed& fixed, TaskGroup& tasks, int first_gate, int bits, int bound)
      : fixed_(fixed), tasks_(tasks), first_gate_(first_gate), bits_(bits), bound_(bound) {}

  // Adds a value of degree <= 2, to be rounded to 2^exponent. *out gets the result with kReleaseBits from
  // round_together(). Returns the exponent in use, which is clamped to what can be rounded.
  int add(const Fp& value, int exponent, Fp* out);

 private:
  friend void round_together(TaskGroup& tasks, std::initializer_list<Rounding*> roundings);
  void start(std::vector<TaskGroup::Handle>& running);
  struct Group {
    FpVector values;
    std::vector<Fp*> out;
  };
  const Fixed& fixed_;
  TaskGroup& tasks_;
  int first_gate_, bits_, bound_;
  std::map<int, Group> groups_;
};

// Rounds the numbers of all of them in the same rounds, and waits for that.
void round_together(TaskGroup& tasks, std::initializer_list<Rounding*> roundings);

}  // namespace pgmpc
