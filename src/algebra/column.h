// What the parties know of the columns of the joined records beside their shared values.
#pragma once
#include "sharing/field.h"

namespace pgmpc {

struct ColumnDescription {
  int exponent = 0;
  bool binary = false;  // two-valued: its values are 0 and 1 (linkage/encoding.h)
};

// Shares of what the owners share of each column beside its values. A value of a two-valued column is mean + step * (0
// or 1) in local units; steps count for these columns only.
struct ColumnInputs {
  FpVector means;                 // kMeanBits fractional bits
  FpVector steps, inverse_steps;  // kStepBits
};

}  // namespace pgmpc
