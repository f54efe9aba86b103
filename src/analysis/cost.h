// Computes what a study opens and sends in step 8, before it runs and from public numbers alone.
//
// Terms
// The exposure is an upper bound of the statistical distance of everything that is opened (rule F13).
// Rounds and bytes are typical values: those of problems that converge as most do. Bytes are per party.
//
// Invariants
// The exposure counts every masked opening at the bound that its gate declares, with all iterations that the spec
// allows. The session of a real run never counts more; tests check this.
#pragma once
#include <cstddef>
#include <cstdint>

#include "disclosure/precision_kind.h"
#include "disclosure/row_rules.h"
#include "mpc/comparison_kind.h"

namespace pgmpc {

// The public numbers that all analyses of a study have in common.
struct PlannedStudy {
  std::size_t attributes = 0, others = 0;  // joined columns: attributes of models, all others
  std::size_t rows = 0;                    // joined records, or an upper bound
  std::size_t problems = 1;                // of all analyses together: one per lambda
  RowRules rules{};
  ComparisonKind comparison = ComparisonKind::fast;
  Precision precision = Precision::exact;

  std::size_t columns() const { return attributes + others; }
  int fixed_bits() const;  // F (algebra/fixed.h)
};

struct Cost {
  double exposure = 0;
  std::int64_t rounds = 0, bytes = 0;
};

// Returns the cost of what the analyses share: moments, disclosure rules, standardisation and the validity bit.
Cost shared_cost(const PlannedStudy& study);

// Adds up the statistical distances of masked openings of values below 2^bound (mpc/opening.h).
class Openings {
 public:
  void add(double count, int bound);
  // Adds the openings for the inverse of a d x d matrix with eigenvalues in [least, most] (algebra/inverse.h).
  void add_inverse(double d, int fixed_bits, double most, double least);
  double exposure() const { return exposure_; }

 private:
  double exposure_ = 0;
};

// Bytes that a party sends per opened value, on average. An opening sends four elements of 16 bytes in all, a third of
// that per party.
inline constexpr double kOpeningBytes = 16.0 * 4 / 3;

}  // namespace pgmpc
