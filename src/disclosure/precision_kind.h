// Names how exactly numbers are released (precision.h). exact: kReleaseBits fractional bits. statistical, coarse:
// rounded to an eighth, to half of a standard error or less.
#pragma once

namespace pgmpc {

enum class Precision { exact, statistical, coarse };

constexpr const char* precision_name(Precision precision) {
  return precision == Precision::exact ? "exact" : precision == Precision::statistical ? "statistical" : "coarse";
}

}  // namespace pgmpc
