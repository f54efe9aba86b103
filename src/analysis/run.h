// Step 8 of docs/protocol.md: the analyses of a study on shares of the joined records.
//
// Invariants
// What is opened, in this order: one bit for all disclosure rules, stop bits, one validity bit for all results; then,
// and only then, what each analysis releases (docs/security_model.md, "What is opened"). Analyses share the rounds.
// Errors: refused (a disclosure rule or the validity check; which one is not known to anybody), not_converged.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analysis/analysis.h"
#include "analysis/relation.h"
#include "analysis/shared_figures.h"

namespace pgmpc {

struct AnalysisTask {
  std::string name;
  std::shared_ptr<const Analysis> analysis;
  AnalysisColumns columns;
};

struct AnalysesRequest {
  JoinedRecords records;
  std::vector<AnalysisTask> tasks;
  RowRules rules;
  Precision precision = Precision::exact;
  unsigned recipients = 7;  // bit i: party i receives the results
  // Called before anything of a result is opened: returns when this party can store it, or throws. Nothing is opened
  // before it has returned at all three parties.
  std::function<void()> before_release{};
};

using AnalysisProgress = std::function<void(const char* phase, std::uint64_t done, std::uint64_t total)>;

// Consumes the request's shares.
std::vector<AnalysisResult> run_analyses(Session& session, AnalysesRequest request, const CancelToken& cancel,
                                         const AnalysisProgress& progress);

}  // namespace pgmpc
