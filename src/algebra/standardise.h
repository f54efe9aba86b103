// Computes shares of the correlation matrix from shares of the joined rows (docs/protocol.md, step 8).
//
// Terms
// The columns are the attributes, then the outcomes, in the owners' local units (24 fractional bits). The variance is
// that of a population (1/n). The reciprocal standard deviation of a column without variance is 0.
//
// Invariants
// Only values masked under MPC are opened. After the one Gram matrix, nothing depends on n. |x| <= 2^6 local units
// (2^30 + 1 in units of 2^-24), which the owners check: see moment_bits.
//
// Source
// docs/design/lasso.md, "From records to correlations".
#pragma once
#include <algorithm>
#include <functional>
#include <vector>

#include "algebra/fixed.h"
#include "algebra/matrix.h"

namespace pgmpc {

struct Moments {
  std::size_t rows = 0;
  int log_rows = 0;      // L = ceil(log2 rows)
  FpVector second;       // upper triangle of sum x_i x_j / 2^L, F bits
  FpVector mean;         // F bits
  FpVector coarse_mean;  // the same with kDataBits
  FpVector counts;       // degree 2, exact: upper triangle of sum x_i x_j, 48 fractional bits (for count rules)
};

// The columns that enter as 0 and 1. step: the difference of their two values in local units, in [1, 64]; kStepBits.
struct TwoValued {
  std::vector<std::size_t> columns;
  FpVector step, inverse_step;
};

// Figures of the columns in local units, also for two-valued columns.
struct Standardised {
  Matrix correlation;            // of all columns, F bits, ones on the diagonal
  FpVector reciprocal_sd;        // 1/sd in local units, F bits
  FpVector sd;                   // sd in local units, F bits
  FpVector covariance;           // upper triangle, F bits
  FpVector varies;               // 0/1 per column: 1 if it has a variance
  FpVector variance_violations;  // 0/1 per column: 1 if its variance is above the range, or below it and not constant
};

// 1/sqrt of secret values in [2^-12, 2^10), 0 outside of that range.
struct InverseRoots {
  FpVector inverse_root;
  FpVector varies;   // 0/1: the value is at least 2^-12
  FpVector between;  // 0/1: the value is below that, but not that of a constant column (at least 2^-26)
  FpVector above;    // 0/1: the value is at least 2^10
};

// Bits of a sum of `rows` products of two values |x_int| <= 2^30 + 1.
int moment_bits(std::size_t rows);
// Bits of n / 2^L times a mean while it is opened: 31 + L of the sum and up to 36 of the factor, fewer from 2^20 rows.
inline int mean_bound(int log_rows) { return std::min(67 + log_rows, 87); }

// Computes the moments in one round. products: the Gram matrix of the columns, where it is known already.
Moments joined_moments(const Fixed& fixed, std::span<const FpVector> columns, const CancelToken& cancel);
Moments joined_moments(const Fixed& fixed, std::span<const FpVector> columns, FpVector products);

// Computes the inverse roots in 11 rounds. id: a number that no other call of this analysis uses.
InverseRoots inverse_roots(const Fixed& fixed, std::uint32_t id, std::span<const Fp> values);

// Called with the covariance and with reciprocal standard deviations within 2.3 %, 8 rounds before the correlations are
// complete.
using ApproximateRoots = std::function<void(const FpVector& covariance, const FpVector& reciprocal_sd)>;

// Computes the figures in 12 rounds. The bounds follow from |x| <= 2^6, so the precheck may run at the same time.
// Moments of two-valued columns are those of 0 and 1, and so are the arguments of approximate_roots. Correlations do not
// depend on the step.
Standardised standardise(const Fixed& fixed, const Moments& moments, const TwoValued& two_valued = {},
                         const ApproximateRoots& approximate_roots = {});

// Returns means over the joined rows in local units, kMeanBits: the owner's plus the joined one. At most one round.
FpVector joined_means(const Fixed& fixed, const Moments& moments, const FpVector& owners, const TwoValued& two_valued);

// Covariances of the attributes times two such reciprocals: correlations within 5 %, as if the columns had other units.
// The eigenvalues of the matrix are below approximate_most.
struct ApproximateCorrelation {
  Matrix matrix;           // F bits
  FpVector root_products;  // upper triangle, kRootProductBits
};
inline constexpr int kRootProductBits = 28;
inline double approximate_most(std::size_t attributes) { return 1.05 * static_cast<double>(attributes); }
// Computes it for the first `attributes` columns, in two rounds.
ApproximateCorrelation approximate_correlation(const Fixed& fixed, const FpVector& covariance,
                                               const FpVector& reciprocal_sd, std::size_t attributes);

// Returns the figures of some of the columns, in the order given.
Standardised selected(const Standardised& all, std::span<const std::size_t> columns);

}  // namespace pgmpc
