// What a study opens and sends in step 8, worked out before it runs, from public numbers alone.
//
// Terms
// exposure = upper bound of the statistical distance of everything that is opened (docs/rules.md, F13).
// rounds, bytes = typical, for problems that converge as most do; bytes are per party.
//
// Invariants
// Exposure counts every masked opening at the bound that its gate declares, with all iterations that the spec allows:
// the session of a real run never books more (tested).
#pragma once
#include <cstddef>
#include <cstdint>

#include "disclosure/precision_kind.h"
#include "disclosure/row_rules.h"
#include "mpc/comparison_kind.h"

namespace pgmpc {

// What the analyses of a study have in common.
struct PlannedStudy {
  std::size_t attributes = 0, outcomes = 0;
  std::size_t rows = 0;      // joined records, or the most there can be
  std::size_t problems = 1;  // of all analyses together
  RowRules rules{};
  ComparisonKind comparison = ComparisonKind::fast;
  Precision precision = Precision::exact;

  std::size_t columns() const { return attributes + outcomes; }
  int fixed_bits() const;  // F (algebra/fixed.h)
};

struct Cost {
  double exposure = 0;
  std::int64_t rounds = 0, bytes = 0;
};

// Of what the analyses share: moments, disclosure rules, standardisation, the validity bit.
Cost shared_cost(const PlannedStudy& study);

// Adds up the distances of openings of values below 2^bound (mpc/opening.h).
class Openings {
 public:
  void add(double count, int bound);
  // The inverse of a d x d matrix whose eigenvalues lie between least and most (algebra/inverse.h).
  void add_inverse(double d, int fixed_bits, double most, double least);
  double exposure() const { return exposure_; }

 private:
  double exposure_ = 0;
};

// Bytes that a party sends per value opened: on average over the parties, a value travels four times in three messages.
inline constexpr double kOpeningBytes = 16.0 * 4 / 3;

}  // namespace pgmpc
