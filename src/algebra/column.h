// Describes what the parties know of the columns of the joined records in addition to the shared values.
#pragma once
#include <compare>
#include <cstddef>

#include "sharing/field.h"

namespace pgmpc {

struct ColumnDescription {
  int exponent = 0;
  bool binary = false;  // two-valued: its values are 0 and 1 (linkage/encoding.h)
};

// Two joined columns by index: a two-valued one, and one whose values are summed over the records of each of its levels.
struct GroupedColumn {
  std::size_t group, column;
  auto operator<=>(const GroupedColumn&) const = default;
};

// Shares that the owner of each column adds to those of its values. A value of a two-valued column is mean + step * (0
// or 1) in local units; steps have a meaning for these columns only.
struct ColumnInputs {
  FpVector means;                 // kMeanBits fractional bits
  FpVector steps, inverse_steps;  // kStepBits fractional bits
};

}  // namespace pgmpc
