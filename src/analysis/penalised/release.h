// Computes the numbers of a model from the solution of its problem, still shared: coefficients, R^2 and the intercept,
// rounded under MPC.
//
// Terms
// An exact release has kReleaseBits fractional bits. It is rounded beside the validity check.
// A statistical or coarse release is rounded to the grids of disclosure/precision.h. That happens after the validity
// bit, when the exponents of the grids have been opened.
//
// Invariants
// Rounding is an exact truncation. A zero therefore opens as zero (rule F16), and what is opened is a function of the
// rounded number only.
//
// Source
// docs/design/release.md.
#pragma once
#include <vector>

#include "analysis/penalised/penalty.h"
#include "disclosure/precision.h"
#include "mpc/task_group.h"

namespace pgmpc {

inline constexpr int kLengthLimit = 14;  // log2 of the largest |z|^2 of a valid model

struct Scaled {
  FpVector coefficient;  // degree 2, 2F bits: u_j inverse_root_j sd_y 2^amplify_j
  Fp fit;                // degree 2, 2F bits: R^2 = 2 z'b - z'Gz, z in units of sd_y / sd_j
  Fp length;             // |u|^2, F bits
};

// Brings the solution u of a problem back to local units. outcome_sd: F bits. One round.
Scaled unscale(const Fixed& fixed, const Problem& p, const Fp& outcome_sd, const FpVector& u);

// Shares of one model; the sizes of the vectors follow from the number of attributes.
struct ModelShares {
  FpVector values;        // coefficients, R^2, intercept: kReleaseBits
  std::vector<int> grid;  // log2 of the grid of each of values
  FpVector wide;          // coefficients and R^2 before rounding: degree 2, 2F bits
  Fp wide_intercept;      // degree 2, 2 * kProductBits
  FpVector exponents;     // of the grids, coefficients and intercept, above ReleaseGrid::lowest
};

inline constexpr int kProductBits = 32;  // fractional bits of coefficients and means in their product

// Returns the intercept, degree 2, 2 * kProductBits. mean: of attributes and outcome, local units, kMeanBits. One
// round.
Fp intercept_of(const Fixed& fixed, TaskGroup& tasks, const Problem& p, const FpVector& mean, const Scaled& scaled);

// Rounds an exact release: sets model.values and model.grid from model.wide. Three rounds.
void round_exactly(const Fixed& fixed, TaskGroup& tasks, const Problem& p, const FpVector& mean, const Scaled& scaled,
                   ModelShares& model);

// Tells whether released numbers are rounded to grids: at every precision but exact.
bool rounds_to_grid(Precision precision);

struct RoundedModel {
  const Problem* problem;
  ModelShares* model;
};

// Opens the exponents to all parties, then sets values and grid of every model from wide and wide_intercept. Three
// rounds for all models together. Throws Error(inconsistent_shares) when an exponent is out of its range.
void round_to_grid(const Fixed& fixed, TaskGroup& tasks, const ReleaseGrid& grid, std::size_t rows, Precision precision,
                   const std::vector<RoundedModel>& models);

}  // namespace pgmpc
