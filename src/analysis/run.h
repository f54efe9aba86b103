// Step 8 of docs/protocol.md: runs the analyses of a study on shares of the joined records.
//
// Invariants
// The order of openings is fixed: one bit for all disclosure rules, then stop bits, then one validity bit for all
// results. Only after that does each analysis open its release (docs/security_model.md, "What is opened"). All analyses
// share the same rounds.
//
// Errors
// refused: a disclosure rule or the validity check failed; no party learns which one. not_converged: a solver reached
// its iteration limit. In both cases nothing of the result is opened.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "analysis/analysis.h"
#include "analysis/relation.h"
#include "analysis/shared_figures.h"

namespace pgmpc {

// One analysis of the study and its columns.
struct AnalysisTask {
  std::string name;
  std::shared_ptr<const Analysis> analysis;
  AnalysisColumns columns;
};

// This party's input of step 8.
struct AnalysesRequest {
  JoinedRecords records;
  std::vector<AnalysisTask> tasks;
  RowRules rules;
  Precision precision = Precision::exact;
  unsigned recipients = 7;  // bit i: party i receives the results
  // Called before anything of a result is opened. Returns when this party can store the result, or throws. Nothing is
  // opened before it has returned at all three parties.
  std::function<void()> before_release{};
};

using AnalysisProgress = std::function<void(const char* phase, std::uint64_t done, std::uint64_t total)>;

// Runs all analyses and returns their results in the order of request.tasks. Consumes the shares of the request. At a
// party that is not a recipient a result holds only what all parties learn. progress may be empty.
std::vector<AnalysisResult> run_analyses(Session& session, AnalysesRequest request, const CancelToken& cancel,
                                         const AnalysisProgress& progress);

}  // namespace pgmpc
