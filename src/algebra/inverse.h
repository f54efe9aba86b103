// Computes the approximate inverse X of a symmetric positive definite matrix A of shares.
//
// P = I - AX starts as I - cA. A Newton-Schulz step P' = a P^2 - (a - 1) I belongs to X' = a (X + X P) for every a.
// With a near 2 / (2 - |P|^2) (Chebyshev), the smallest eigenvalue of A counts four times as much after a step; with
// a = 1 it counts twice as much. A step is called a doubling in the code. See docs/design/lasso.md, "The solver".
//
// Terms
// Near: |I - AX| <= kInverseError. Users of X multiply it by everything else under MPC (X G, X b, never "I - X R" for X G). The
// point to which a solver converges thus does not depend on the precision of X, only the speed does. A correction at
// the end, which would take two more rounds, is therefore not needed.
//
// Invariants
// Eigenvalues of A are in [least, most] (public bounds). |P| <= 1 and |X| <= 2/least throughout, so the bounds of the
// openings do not grow with the size. Only upper triangles are opened.
// Rounding: P keeps eigenvalues of both signs near 1, and an error of P counts up to most/least times. That is 2^14
// times 2^-29 with 200 columns and kLeastMetric (analysis/penalised/metric.h), well below kInverseError.
#pragma once
#include <vector>

#include "algebra/fixed.h"
#include "algebra/matrix.h"

namespace pgmpc {

inline constexpr double kInverseError = 0x1p-8;
inline constexpr int kFactorBits = 4;

// One step, planned from public bounds alone: a = factor / 2^kFactorBits, and |X| <= 2^growth after it.
struct ChebyshevStep {
  int factor, growth;
};
// Returns the steps from the start to kInverseError for eigenvalues in [least, most].
std::vector<ChebyshevStep> chebyshev_steps(double most, double least);

// Bits of the product that a step opens for X.
inline int grown_bound(int fixed_bits, const ChebyshevStep& doubling, int scale = 0) {
  return 2 * fixed_bits + 1 + std::max(doubling.growth - scale, 0);
}

// The approximate inverse, and the bits with degree 1.
struct ApproximateInverse {
  Matrix matrix;
  FpVector bits;
};

// Inverts A. triangle: upper triangle of A, F bits, degree at most 2. bits: any number of values of degree 2 that are 0
// or 1; their degree is reduced in the same rounds. id: a number that no other inverse of this analysis uses. Takes one
// round, and one per step: 6 to 12 in all.
ApproximateInverse approximate_inverse(const Fixed& fixed, std::uint32_t id, const FpVector& triangle,
                                       const FpVector& bits, double most, double least, const CancelToken& cancel);

// Inverts gram + shift I, where gram has degree 1 and eigenvalues up to its size.
Matrix approximate_inverse(const Fixed& fixed, std::uint32_t id, const Matrix& gram, double shift, double least,
                           const CancelToken& cancel);

// Returns the same over 2^scale, which makes it fit an opening where least is small. Eigenvalues of gram + shift I are
// at most `most`. The result has lost scale fractional bits; relative errors stay below most 2^(scale + 1 - F).
Matrix approximate_inverse(const Fixed& fixed, std::uint32_t id, const Matrix& gram, double shift, double most,
                           double least, int scale, const CancelToken& cancel);

}  // namespace pgmpc
