// A running analysis: its inputs, and what it has computed before anything is opened.
#pragma once
#include <functional>

#include "algebra/fixed.h"
#include "analysis/analysis.h"
#include "analysis/relation.h"
#include "analysis/shared_figures.h"
#include "base/cancel.h"
#include "mpc/task_group.h"

namespace pgmpc {

// The inputs of one analysis in one attempt at one party.
struct AnalysisRun {
  const Fixed& fixed;  // with a label scope of its own
  TaskGroup& tasks;
  SharedFigures& shared;
  const AnalysisColumns& columns;
  Precision precision;
  unsigned recipients;  // bit i: party i receives the result
  const CancelToken& cancel;
  std::function<void(const char* phase, std::uint64_t done, std::uint64_t total)> progress;  // may be empty
};

// Tells of every attribute of an analysis whether it is two-valued. described: of the joined columns.
inline std::vector<bool> two_valued_attributes(const AnalysisColumns& columns,
                                               const std::vector<ColumnDescription>& described) {
  std::vector<bool> out;
  for (const std::size_t attribute : columns.attributes) out.push_back(described.at(attribute).binary);
  return out;
}

// A computed analysis whose result is not opened yet.
class Computed {
 public:
  virtual ~Computed() = default;
  // Returns a share of the number of violations. 0 means that the result is plausible and may be opened.
  virtual Fp violations() const = 0;
  // Opens the result. Called after the validity bit has been opened. At a party that is not a recipient the relations
  // hold only what all parties learn.
  virtual Relations release() = 0;
};

}  // namespace pgmpc
