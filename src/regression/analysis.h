// What: the whole analysis on shares: joined rows in, released model out (step 8 of PROTOCOL.md).
// Terms: local units = the owner's scaled units of a column: original = local * 2^exponent (+ the owner's mean);
//        lambda = penalty of DESIGN.md A.4 in outcome units; released = opened after exact truncation.
// Output whitelist (rule F17): per lambda the coefficients, the intercept, R^2 and the number of iterations, and where
// they are rounded the exponents of their grids; besides them one precheck bit, one stop bit per check and one validity
// bit. Nothing else is ever opened.
// Errors: refused (a disclosure rule or the validity check; which one is not known to anybody), not_converged.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "mpc/session.h"
#include "regression/precision_kind.h"
#include "sharing/field.h"

namespace pgmpc {

struct AnalysisColumn {
  int exponent = 0;
  bool binary = false;  // two-valued: its values are 0 and 1 (linkage/encoding.h)
};

// Shares of what the owners share of each column beside its values. A value of a two-valued column is mean + step * (0
// or 1) in local units; steps count for these columns only.
struct ColumnInputs {
  FpVector means;                 // kMeanBits fractional bits
  FpVector steps, inverse_steps;  // kStepBits
};

// Message of every refusal by a disclosure rule, whichever it was.
inline constexpr const char* kRulesRefused = "a disclosure rule of the agreed spec refused the study";

// Disclosure rules over the joined rows (spec: disclosure.*), and what a refusal by them says.
struct RowRules {
  std::int64_t min_level_count = 10;
  double max_dominance = 0.5;
  // Of the joint design (design.h), off unless set: leverage 1 and a VIF of 0.
  double max_leverage = 1;
  double max_vif = 0;
  std::string refusal_detail{}, refusal_hint{};
};

struct AnalysisRequest {
  std::vector<FpVector> columns;  // shares, 24 fractional bits; the outcome last
  ColumnInputs inputs;
  std::vector<AnalysisColumn> described;  // public, one per column
  std::vector<double> lambdas;
  double alpha = 1;  // 1 = lasso, 0 = ridge, between them elastic net (penalty.h)
  bool standardize = true;
  ComparisonKind comparison = ComparisonKind::fast;
  int max_iterations = 200;
  Precision precision = Precision::exact;
  RowRules rules;
  unsigned recipients = 7;  // bit i = party i receives the model
  // Called before anything of a result is opened: returns when this party can store one, or throws. Nothing is opened
  // before it has returned at all three parties.
  std::function<void()> before_release{};
};

struct Model {
  double lambda = 0;
  int iterations = 0;
  bool received = false;             // false: this party is no recipient, the rest is empty
  std::vector<double> coefficients;  // original units, in column order
  double intercept = 0;
  double r_squared = 0;
  // What the numbers are rounded to, in their units.
  std::vector<double> coefficient_grids;
  double intercept_grid = 0;
  double r_squared_grid = 0;
};

using AnalysisProgress = std::function<void(const char* phase, std::uint64_t done, std::uint64_t total)>;

// Consumes the request's shares.
std::vector<Model> analyse(Session& session, AnalysisRequest request, const CancelToken& cancel,
                           const AnalysisProgress& progress);

}  // namespace pgmpc
