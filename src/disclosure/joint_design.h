// Implements rules over the joint design of a study, the attribute columns of both owners over the joined rows. No
// record has too much leverage, the design as a whole does not rest on few records, and no column follows from the
// others.
//
// Terms
// The leverage of a record is z' (m C)^-1 z, with m rows, z its distances from the joined means and C the covariance.
// A stretch is a run of neighbouring rows in the secret order that the third party drew (docs/protocol.md, step 4).
// T is the sum of the leverages in a stretch: trace(C^-1 S) / m, with S the second moments of the stretch.
// The VIF of a column is its entry on the diagonal of the inverse correlation matrix.
//
// Rules for d columns, m rows and G stretches
// 1. T <= max_leverage + d/G + 0.05 for every stretch. A record with leverage h raises its stretch to at least h. The
// average of a stretch is d/G, and 0.05 is the spread of stretches without an outstanding record.
// 2. sum h^2 <= d max(0.05, 2d/m) + 0.3, estimated by sum (T - mean T)^2 + d^2/m. A stretch is a random sum, so its
// square adds up the squared distances of its records from the mean leverage. The mean of T is weighted by rows.
// 3. VIF <= max_vif for every column.
//
// The outcome is not part of the design. It follows from the columns in every good model (R^2 of 0.999 is a VIF of
// 1000), and skewed outcomes would be refused for their tails. For outcomes whose logarithm has sd 1.5, a clear-text
// simulation refused a third to a half of the studies of 300 to 1000 records. A record that holds too much of the
// outcome is refused by the dominance rule (dominance.h). An outcome beside columns of the same owner is checked by
// that owner, who holds both in the clear.
//
// Accuracy
// A small multiple of the identity is added to the correlations: the largest power of two up to 1 / (16 d max_vif). All
// eigenvalues are at least 1 / (d max_vif) where rule 3 holds. A VIF near its limit is thus up to 6 % too small, and is
// compared with 0.97 of the limit. A column that follows exactly from others has at least 16 times the limit. Roots
// within 2.3 % (algebra/standardise.h) are enough, because neither T nor VIF depends on the scale of a column.
//
// Invariants
// Only masked values are opened. The number of openings depends on d and not on the number of rows. Everything may run
// while the solver iterates; its first stop bit waits for the precheck.
//
// Source
// docs/design/release_rules.md, "The joint design", with references.
#pragma once
#include <vector>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "disclosure/row_rules.h"

namespace pgmpc {

// Tell which rules are on: any of them, rules 1 and 2.
bool checks_design(const RowRules& rules);
bool checks_leverage(const RowRules& rules);

// Public functions of the numbers of attribute columns and rows: the number of stretches, and the multiple of the
// identity that is added ("Accuracy"; 2^-10 without rule 3).
std::size_t design_stretches(std::size_t attributes, std::size_t rows);
double design_shift(std::size_t attributes, double max_vif);
// Returns log2 of the factor by which the inverse is taken smaller, so that it fits an opening.
int design_scale(std::size_t attributes, double max_vif);

// Local sums over all columns, one stretch after the other. They are computed while the rows still exist.
struct StretchSums {
  std::vector<std::size_t> sizes;  // rows of each stretch
  std::vector<FpVector> linear;    // sum x of every column: degree 1, kDataBits
  std::vector<FpVector> square;    // upper triangle of sum x_i x_j: degree 2, 2 kDataBits
  FpVector total;                  // sum of square over the stretches
};
StretchSums stretch_sums(std::span<const FpVector> columns, std::size_t stretches, const CancelToken& cancel);

// Returns second moments of the attributes (the first columns) about the joined means, one reduced triangle per
// stretch, divided by 2^L, kStretchBits. Takes twelve rounds, each with a part of the stretches.
inline constexpr int kStretchBits = 40;
std::vector<FpVector> central_moments(const Fixed& fixed, const Moments& moments, const StretchSums& sums,
                                      std::size_t attributes);

// Returns secret violation bits of the rules that are on, each 0 or 1. approximate: within 5 %. central: empty without
// rules 1 and 2.
FpVector design_violations(const Fixed& fixed, const Moments& moments, const StretchSums& sums,
                           const std::vector<FpVector>& central, const ApproximateCorrelation& approximate,
                           const RowRules& rules, const CancelToken& cancel);

// Bits of the opened values, for the plan.
int stretch_bound(std::size_t largest_stretch);
inline int weight_bound(int fixed_bits) { return fixed_bits + 45; }
inline constexpr int kTraceBound = 81;

}  // namespace pgmpc
