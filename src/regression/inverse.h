// What: inverse of a symmetric positive definite matrix of shares by the product form
//       A^-1 = c * prod_k (I + E^(2^k)), E = I - cA (lasso report, section 4), and one Newton-Schulz step.
// Invariants: eigenvalues of A in [least, most] (public bounds); |E| <= 1 and |X| <= 1/least throughout, so the bounds
// of
//             the openings do not grow with the size; only upper triangles are opened.
#pragma once
#include "regression/fixed.h"
#include "regression/matrix.h"

namespace pgmpc {

// id: a number no other inverse of this analysis uses. 12-21 rounds.
Matrix inverse(const Fixed& fixed, std::uint32_t id, const Matrix& a, double most, double least,
               const CancelToken& cancel);

}  // namespace pgmpc
