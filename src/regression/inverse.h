// What: inverse of a symmetric positive definite matrix of shares by doublings of the residual, then one Newton-Schulz
//       step. P = I - AX starts as I - cA; P' = a P^2 - (a - 1) I belongs to X' = a (X + X P) whatever a is. a = 1 is
//       the product form A^-1 = c * prod_k (I + E^(2^k)), E = I - cA (lasso report, section 4). With a near
//       2 / (2 - |P|^2) (Chebyshev) the smallest eigenvalue of A counts four times as much after a doubling, not twice:
//       fewer rounds, but P keeps eigenvalues of both signs near 1 and rounding grows with the condition, so it is used
//       where that is public and small (kMostAccelerated): the start metric, not the refreshed ones.
// Invariants: eigenvalues of A in [least, most] (public bounds); |P| <= 1 and |X| <= 1/least (2/least with a > 1)
//             throughout, so the bounds of the openings do not grow with the size; only upper triangles are opened.
#pragma once
#include <vector>

#include "regression/fixed.h"
#include "regression/matrix.h"

namespace pgmpc {

inline constexpr double kMostAccelerated = 512;  // most / least

// The factor a = factors[k] / 2^bits of every doubling, from public bounds alone.
struct InverseSteps {
  int bits = 0;
  std::vector<int> factors;
};
InverseSteps inverse_steps(double most, double least);

// id: a number no other inverse of this analysis uses. Three rounds and one per doubling: 9-21.
Matrix inverse(const Fixed& fixed, std::uint32_t id, const Matrix& a, double most, double least,
               const CancelToken& cancel);

}  // namespace pgmpc
