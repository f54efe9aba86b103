// What: near inverse X of a symmetric positive definite matrix A of shares by doublings of the residual: P = I - AX
//       starts as I - cA; P' = a P^2 - (a - 1) I belongs to X' = a (X + X P) whatever a is. With a near 2 / (2 - |P|^2)
//       (Chebyshev) the smallest eigenvalue of A counts four times as much after a doubling, not twice as with a = 1.
// Terms: near = |I - AX| <= kNear. Who uses X multiplies it by everything else under MPC (X G, X b, never "I - X R" for
//        X G), so that what a solver converges to does not depend on the precision of X, only how fast; that is why
//        there is no correction at the end, which would take two rounds more.
// Invariants: eigenvalues of A in [least, most] (public bounds); |P| <= 1 and |X| <= 2/least throughout, so the
//             bounds of the openings do not grow with the size; only upper triangles are opened. Rounding: P keeps
//             eigenvalues of both signs near 1, and an error of P counts up to most/least times, 2^14 times 2^-29 with
//             200 columns and kLeastMetric: well below kNear.
#pragma once
#include <vector>

#include "algebra/fixed.h"
#include "algebra/matrix.h"

namespace pgmpc {

inline constexpr double kNear = 0x1p-8;
inline constexpr int kFactorBits = 4;

// Of one doubling, from public bounds alone: a = factor / 2^kFactorBits, and |X| <= 2^growth after it.
struct Doubling {
  int factor, growth;
};
std::vector<Doubling> doublings(double most, double least);

// Bits of what a doubling opens for X.
inline int grown_bound(int fixed_bits, const Doubling& doubling, int scale = 0) {
  return 2 * fixed_bits + 1 + std::max(doubling.growth - scale, 0);
}

struct NearInverse {
  Matrix matrix;
  FpVector bits;
};

// triangle: upper triangle of A, F bits, degree at most 2. bits: any number of values of degree 2 that are 0 or 1;
// their degree is reduced in the same rounds. id: a number no other inverse of this analysis uses. One round and one
// per doubling: 6-12.
NearInverse near_inverse(const Fixed& fixed, std::uint32_t id, const FpVector& triangle, const FpVector& bits,
                         double most, double least, const CancelToken& cancel);

// Of gram + shift I, where gram has degree 1.
Matrix near_inverse(const Fixed& fixed, std::uint32_t id, const Matrix& gram, double shift, double least,
                    const CancelToken& cancel);

// The same over 2^scale, which must leave room in an opening where least is small; eigenvalues of gram + shift I are at
// most `most`. It has lost scale fractional bits; relative errors stay below most 2^(scale + 1 - F).
Matrix near_inverse(const Fixed& fixed, std::uint32_t id, const Matrix& gram, double shift, double most, double least,
                    int scale, const CancelToken& cancel);

}  // namespace pgmpc
