// What: from the solution of one problem to the numbers of its model, still shared: coefficients, R^2 and the
// intercept, rounded under MPC.
//
// Terms:
// exact release = kReleaseBits fractional bits, rounded beside the validity check;
// statistical release = rounded to the grids of precision.h, after the validity bit, when their exponents have been
// opened.
//
// Invariants:
// Rounding is an exact truncation, so that a zero opens as zero (rule F16) and what is opened is a function of the
// rounded number only.
#pragma once
#include <vector>

#include "analysis/penalised/penalty.h"
#include "disclosure/precision.h"
#include "mpc/task_group.h"

namespace pgmpc {

inline constexpr int kLengthLimit = 14;  // log2 of the largest |z|^2 of a valid model
inline constexpr int kMeanBound = 60;    // bits of an owner's mean, kMeanBits of them fractional

struct Scaled {
  FpVector coefficient;  // degree 2, 2F bits: u_j root_j sd_y 2^amplify_j
  Fp fit;                // degree 2, 2F bits: R^2 = 2 z'b - z'Gz, z in units of sd_y / sd_j
  Fp length;             // |u|^2, F bits
};

// One round.
Scaled unscale(const Fixed& fixed, const Problem& p, const Fp& outcome_sd, const FpVector& u);

struct ModelShares {
  FpVector values;        // coefficients, R^2, intercept: kReleaseBits
  std::vector<int> grid;  // log2 of what each of values is rounded to
  FpVector wide;          // coefficients and R^2 before rounding: degree 2, 2F bits
  Fp wide_intercept;      // degree 2, 2 * kProductBits
  FpVector exponents;     // of the grids, coefficients and intercept, above ReleaseGrid::lowest
};

inline constexpr int kProductBits = 32;  // of coefficients and of means where they meet

// mean: in local units, kMeanBits. One round.
Fp intercept_of(const Fixed& fixed, TaskGroup& tasks, const Problem& p, const FpVector& mean, const Scaled& scaled);

// Sets values from wide. Three rounds.
void round_exactly(const Fixed& fixed, TaskGroup& tasks, const Problem& p, const FpVector& mean, const Scaled& scaled,
                   ModelShares& model);

bool rounds_to_grid(Precision precision);

struct RoundedModel {
  const Problem* problem;
  ModelShares* model;
};

// Opens the exponents to all parties, then sets values from wide and wide_intercept. Three rounds for all models.
void round_to_grid(const Fixed& fixed, TaskGroup& tasks, const ReleaseGrid& grid, std::size_t rows, Precision precision,
                   const std::vector<RoundedModel>& models);

}  // namespace pgmpc
