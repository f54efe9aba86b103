// Defines fixed-point arithmetic on shares: the precision of one analysis and the labels of its gates.
//
// Terms
// F is the number of fractional bits of every value between gates; a unit is 2^-F. Data enter with 24 fractional bits.
//
// Invariants
// F is 36 up to 60 columns, 35 up to 120 columns and 2^20 rows, and 34 otherwise. More than 8 lambdas also give 34. One
// bit less in F saves two bits of statistical distance (rule F13). The error of the coefficients stays below 1e-6.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "base/limits.h"
#include "mpc/opening.h"

namespace pgmpc {

inline constexpr int kReleaseBits = 28;  // fractional bits of everything released (local units of the column)

// Phases of the analysis: the first component of every gate label.
enum class Phase : std::uint16_t {
  input = 1,
  moments,
  precheck,
  root,
  correlation,
  thresholds,
  inverse,
  solver,
  stop,
  refresh,
  fit,
  validity,
  release,
  penalty,
  ridge,
  grid,
  design
};

// Returns the name of a phase in errors, mpc.transcript and mpc.stat_study_progress.
std::string phase_name(std::uint16_t phase);

struct Fixed {
  Session& session;
  int bits;                 // F
  std::uint16_t scope = 0;  // scope of the labels; 0 for what the analyses of a study share

  // Returns F. problems: number of lambdas.
  static int bits_for(std::size_t columns, std::size_t rows, std::size_t problems) {
    const int bits = columns <= 60 ? 36 : columns <= 120 && rows <= (1u << 20) ? 35 : 34;
    return problems > 8 ? std::min(bits, 34) : bits;
  }
  // gate: number of the gate within the phase and iteration.
  GateLabel label(Phase phase, std::uint32_t iteration, int gate) const {
    return {static_cast<std::uint16_t>(phase), iteration, static_cast<std::uint16_t>(gate), scope};
  }
  Fp constant(double x) const { return Fp::from_signed(static_cast<i128>(std::llround(std::ldexp(x, bits)))); }
  Fp one() const { return Fp::from_signed(static_cast<i128>(1) << bits); }
};

inline Fp shifted(Fp x, int bits) { return x * Fp::from_signed(static_cast<i128>(1) << bits); }

inline FpVector concatenate(const FpVector& a, const FpVector& b) {
  FpVector out = a.clone();
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

}  // namespace pgmpc
