// An analysis at work: what it is given, and what it has computed before anything is opened.
#pragma once
#include <functional>

#include "algebra/fixed.h"
#include "analysis/analysis.h"
#include "analysis/relation.h"
#include "analysis/shared_figures.h"
#include "base/cancel.h"
#include "mpc/task_group.h"

namespace pgmpc {

// One analysis in one attempt at one party.
struct AnalysisRun {
  const Fixed& fixed;  // with a scope of its own
  TaskGroup& tasks;
  SharedFigures& shared;
  const AnalysisColumns& columns;
  Precision precision;
  unsigned recipients;  // bit i: party i receives the result
  const CancelToken& cancel;
  std::function<void(const char* phase, std::uint64_t done, std::uint64_t total)> progress;  // may be empty
};

// An analysis that is computed and of which nothing is opened yet.
class Computed {
 public:
  virtual ~Computed() = default;
  // Secret number of violations: 0 where the result is plausible and may be opened.
  virtual Fp violations() const = 0;
  // Called once the validity bit is open. At a party that is no recipient the relations hold what all parties learn.
  virtual Relations release() = 0;
};

}  // namespace pgmpc
