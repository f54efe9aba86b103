// What: what an analysis will cost before it runs, from public numbers alone: the exposure of all its openings (an
// upper
//       bound, rule F13), its rounds and bytes (typical).
// Invariant: exposure counts every masked opening of regression/ at the bound its gate declares, with all refreshes and
//            iterations the spec allows: the session of a real run never books more (tested).
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "regression/analysis.h"

namespace pgmpc {

struct PlannedAnalysis {
  std::size_t columns = 0;      // attributes and the outcome
  std::size_t rows = 0;         // joined records, or the most there can be
  std::vector<double> lambdas;  // with alpha and standardize as in AnalysisRequest
  double alpha = 1;
  bool standardize = true;
  int max_iterations = 200;
  double max_dominance = 0.5;
  ComparisonKind comparison = ComparisonKind::fast;
  Precision precision = Precision::exact;
  double max_leverage = 1;  // as in RowRules
  double max_vif = 0;
};

double planned_exposure(const PlannedAnalysis& plan);
// For problems that converge in about 22 iterations, 9 without an l1 part.
std::int64_t typical_rounds(const PlannedAnalysis& plan);
std::int64_t typical_bytes_per_party(const PlannedAnalysis& plan);

}  // namespace pgmpc
