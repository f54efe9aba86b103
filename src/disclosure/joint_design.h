// What: rules over the joint design of a study, the attribute columns of both owners over the joined rows: no record
//       has too much leverage, the design as a whole is not made of few records, and no column follows from the others.
// Terms: leverage of a record = z' (n C)^-1 z, z = its distances from the joined means, C = the covariance;
//        stretch = neighbouring rows in the secret order that the third party drew (docs/protocol.md, step 4);
//        T = the sum of the leverages in a stretch = trace(C^-1 S) / n, S = second moments of the stretch;
//        VIF of a column = its entry on the diagonal of the inverse correlation matrix.
// The rules, for d columns, m rows and G stretches:
//        1. T <= max_leverage + d/G + 0.05 for every stretch. A record with leverage h lifts its stretch to at least h;
//           d/G is what stretches have on average, 0.05 what they differ by where no record stands out.
//        2. sum h^2 <= d max(0.05, 2d/m) + 0.3, estimated by sum (T - mean T)^2 + d^2/m: a stretch is a random sum, so
//           its square adds up the squares of its records' distances from the mean leverage. Mean T goes by rows.
//        3. VIF <= max_vif for every column.
//        The outcome is not part of the design: it follows from the columns in every good model (R^2 of 0.999 is a VIF
//        of 1000), and skewed outcomes would be refused for their tails (logarithm with sd 1.5: a third to a half of
//        the studies of 300 to 1000 records in a clear-text simulation). A record that holds too much of it is the
//        dominance rule's (dominance.h); an outcome beside columns of the same owner is checked by that owner, who
//        holds both in the clear.
// Accuracy: a small multiple of the identity, 1 / (16 d max_vif), is added to the correlations. All eigenvalues are at
//        least 1 / (d max_vif) where rule 3 holds, so a VIF near its limit comes out up to 6 % too small and is
//        compared with 0.97 of it; a column that follows exactly from others has at least 16 times the limit. Roots
//        within 2.3 % (standardise.h) are enough, because neither T nor VIF depends on the scale of a column.
// Invariants: nothing is opened but masked values; the number of openings depends on d and not on the number of rows.
//        Everything may run while the solver iterates, whose first stop bit waits for the precheck.
#pragma once
#include <vector>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "disclosure/row_rules.h"

namespace pgmpc {

bool checks_design(const RowRules& rules);
bool checks_leverage(const RowRules& rules);

// Public functions of the number of attribute columns and of rows.
std::size_t design_stretches(std::size_t attributes, std::size_t rows);
double design_shift(std::size_t attributes, double max_vif);
// log2 of the factor by which its inverse is taken smaller, so that it fits an opening.
int design_scale(std::size_t attributes, double max_vif);

// Per stretch, stretch by stretch: local sums over all columns, made while the rows are still there.
struct StretchSums {
  std::vector<std::size_t> sizes;  // rows of each
  std::vector<FpVector> linear;    // sum x of every column: degree 1, kDataBits
  std::vector<FpVector> square;    // upper triangle of sum x_i x_j: degree 2, 2 kDataBits
  FpVector total;                  // of square
};
StretchSums stretch_sums(std::span<const FpVector> columns, std::size_t stretches, const CancelToken& cancel);

// Second moments of the attributes, the first columns, about the joined means, one reduced triangle per stretch: over
// 2^L, kStretchBits. Twelve rounds, each with a part of the stretches.
inline constexpr int kStretchBits = 40;
std::vector<FpVector> central_moments(const Fixed& fixed, const Moments& moments, const StretchSums& sums,
                                      std::size_t attributes);

// Secret violation bits of the rules that are on, each 0 or 1. near: roots within 2.3 %. central: empty without rules 1
// and 2.
FpVector design_violations(const Fixed& fixed, const Moments& moments, const StretchSums& sums,
                           const std::vector<FpVector>& central, const NearCorrelation& near, const RowRules& rules,
                           const CancelToken& cancel);

// Bits of what is opened, for the plan.
int stretch_bound(std::size_t largest_stretch);
inline int weight_bound(int fixed_bits) { return fixed_bits + 45; }
inline constexpr int kTraceBound = 81;

}  // namespace pgmpc
