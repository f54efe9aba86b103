// Rounds the released numbers. Statistical precision rounds each of them, under MPC and always the same way, to the
// largest power of two that is at most an eighth (coarse: half) of its standard error. What a model reveals about
// single records is lost in the rounding, and what it reveals about the population is not.
//
// Terms
// SE is a lower bound of the standard error that holds for every model.
// For coefficient j it is sd_y sqrt(max(1 - R^2, 1/2)) / (sd_j sqrt(m)). In least squares the variance of b_j is
// sd_e^2 VIF_j / (m sd_j^2), with VIF_j >= 1 and sd_e^2 >= sd_y^2 (1 - R^2). 1 - R^2 is taken as at least 1/2, so that
// a perfect fit has no finer grid.
// For the intercept it is sd_y sqrt(max(1 - R^2, 1/2)) / sqrt(m). The variance there is
// sd_e^2 (1/m + mean' S^-1 mean / m), and the second part is at least 0.
// The grid of a number is that power of two. Its exponent is public, an order of magnitude.
// R^2 has the grid of 1 / sqrt(m), which depends on nothing else. Its own standard error is at most 0.77 / sqrt(m):
// 2 sqrt(R^2) (1 - R^2) / sqrt(m), largest at R^2 = 1/3. It becomes small near 0 and 1, where a finer grid would depend
// on the data.
//
// Invariants
// Values below half a grid become zero, and a zero stays zero. Everything that does not depend on R^2 is computed
// beside the solver. Then one comparison per number decides between two neighbouring powers. A column that is constant
// over the joined rows has the grid of one with deviation 1 in local units, so that the exponents do not show it (rule
// F23).
//
// Source
// docs/design/release.md and docs/design/release_rules.md, "Rounding".
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "algebra/column.h"
#include "algebra/fixed.h"
#include "algebra/standardise.h"
#include "disclosure/precision_kind.h"

namespace pgmpc {

// The grids of every attribute, then of the intercept, in local units.
struct ReleaseGrid {
  int lowest = 0;    // an exponent is lowest + count - 1, or one less if 1 - R^2 requires it
  FpVector count;    // powers of two that are at most the part of SE at R^2 = 0
  FpVector square;   // (part of SE at R^2 = 0 / the largest of these powers)^2 in [1, 4), square_bits
  FpVector settled;  // 0/1: square is at least 2, so the largest power stays for every R^2
};

// Fractional bits of ReleaseGrid::square.
inline int square_bits(int fixed_bits) { return fixed_bits - 4; }

// Exponents that a grid can have, before the units of the penalty.
struct ExponentRange {
  int lowest, highest;
};
ExponentRange grid_exponents(Precision precision, std::size_t rows);

// Opens exponents of grids to all parties. Each is its share plus lowest. Throws Error(inconsistent_shares) when one is
// out of range. One round.
std::vector<int> open_exponents(const Fixed& fixed, std::span<const Fp> shares, int lowest, const ExponentRange& range);

// Returns the part of a standard error to round to, over the square root of the number of rows.
double error_part(Precision precision, std::size_t rows);
// Returns log2 of the grid of R^2.
int r_squared_exponent(Precision precision, std::size_t rows);

// Computes what does not depend on R^2, in five rounds.
ReleaseGrid release_grid(const Fixed& fixed, const Standardised& standard, std::size_t rows, Precision precision);

// Returns shares of the exponents of one model, minus grid.lowest. r_squared: degree 1, F bits. Two rounds.
FpVector exponents(const Fixed& fixed, std::uint32_t problem, const ReleaseGrid& grid, const Fp& r_squared);

}  // namespace pgmpc
