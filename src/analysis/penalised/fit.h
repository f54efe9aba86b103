// Penalised least squares on shares: from the shared figures to models that are not opened yet, and their release.
//
// Terms
// A model consists of the coefficients of one lambda, the intercept and R^2. All lambdas of an analysis are solved in
// the same rounds.
//
// Invariants
// Opened per lambda: the coefficients, the intercept, R^2 and the number of iterations. Opened too: the exponents of
// the grids, if the release is rounded to grids, and one stop bit per check (docs/security_model.md, "What is opened").
//
// Errors
// not_converged: a problem reached max_iterations; nothing of any model is opened.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "analysis/computation.h"

namespace pgmpc {

enum class PenaltyKind { lasso, ridge, elastic_net };

// The settings of one analysis, as in the spec.
struct PenalisedSettings {
  PenaltyKind kind = PenaltyKind::lasso;
  std::vector<double> lambdas;
  double alpha = 1;  // 1 for the lasso, 0 for ridge
  bool standardize = true;
  ComparisonKind comparison = ComparisonKind::fast;
  int max_iterations = 200;
};

// Computes all models. The result refers to run and settings, which must live longer.
std::unique_ptr<Computed> fit_penalised(const AnalysisRun& run, const PenalisedSettings& settings);

}  // namespace pgmpc
