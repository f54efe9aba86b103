// What: how exactly numbers are released. Statistical precision rounds each of them, under MPC and always the same way,
//       to the largest power of two that is at most an eighth (coarse: half) of its standard error, so that what a
//       model tells about single records is lost in the rounding and what it tells about the population is not.
// Terms: SE = a lower bound of the standard error that holds for every model: for coefficient j it is
//        sd_y sqrt(max(1 - R^2, 1/2)) / (sd_j sqrt(m)): in least squares the variance of b_j is
//        sd_e^2 VIF_j / (m sd_j^2) with VIF_j >= 1 and sd_e^2 >= sd_y^2 (1 - R^2), and 1 - R^2 is taken as at least 1/2
//        so that a perfect fit has no finer grid. For the intercept it is sd_y sqrt(max(1 - R^2, 1/2)) / sqrt(m): the
//        variance there is sd_e^2 (1/m + mean' S^-1 mean / m), and the second part is at least 0.
//        grid = that power of two; its exponent is public, an order of magnitude.
//        R^2 has the grid of 1 / sqrt(m), which depends on nothing else: its own standard error is at most
//        0.77 / sqrt(m) (2 sqrt(R^2) (1 - R^2) / sqrt(m), largest at R^2 = 1/3) and gets small near 0 and 1, where a
//        finer grid would follow the data.
// Invariants: values below half a grid become zero and a zero stays one. Everything that does not depend on R^2 is
//             computed beside the solver; then one comparison per number decides between two neighbouring powers.
//             A column that is constant over the joined rows has the grid of one with deviation 1 in local units: the
//             exponents do not tell that it is (rule F23).
#pragma once
#include <cstddef>
#include <vector>

#include "algebra/column.h"
#include "algebra/fixed.h"
#include "algebra/standardise.h"
#include "disclosure/precision_kind.h"

namespace pgmpc {

// Of every attribute, then of the intercept, in local units.
struct ReleaseGrid {
  int lowest = 0;    // exponents are lowest + count - 1, and one less where 1 - R^2 asks for it
  FpVector count;    // powers of two that are at most SE at R^2 = 0
  FpVector square;   // (SE at R^2 = 0 / the largest of them)^2 in [1, 4), square_bits
  FpVector settled;  // 0/1: that is at least 2, so whatever R^2 is the largest one stays
};

// Fractional bits of ReleaseGrid::square.
inline int square_bits(int fixed_bits) { return fixed_bits - 4; }

// Exponents that a grid can have, before units of the penalty.
struct ExponentRange {
  int lowest, highest;
};
ExponentRange grid_exponents(Precision precision, std::size_t rows);

// log2 of the grid of R^2.
int r_squared_exponent(Precision precision, std::size_t rows);

// Five rounds.
ReleaseGrid release_grid(const Fixed& fixed, const Standardised& standard, std::size_t rows, Precision precision);

// Shares of the exponents of one model, as lowest + share. r_squared: degree 1, F bits. Two rounds.
FpVector exponents(const Fixed& fixed, std::uint32_t problem, const ReleaseGrid& grid, const Fp& r_squared);

}  // namespace pgmpc
