// Tail probabilities of distributions that tests of hypotheses use. All in the clear, from released numbers.
//
// Invariants
// The relative error is below 1e-12 wherever the result is above 1e-300.
#pragma once

namespace pgmpc {

// Returns P(X >= x) for the chi-square distribution. x >= 0, degrees of freedom > 0; NaN otherwise.
double chi_square_tail(double x, double degrees);

// Returns P(|T| >= |t|) for Student's t distribution. degrees of freedom > 0, not necessarily whole; NaN otherwise.
double student_two_sided(double t, double degrees);

}  // namespace pgmpc
