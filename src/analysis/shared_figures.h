// Computes once what all analyses of a study share: figures of the joined columns, and the disclosure rules over them.
//
// Terms
// near: correlations of the attributes within 5 %, ready some rounds before the exact ones (algebra/standardise.h).
// rules: the one opened bit of all disclosure rules (disclosure/precheck.h).
//
// Invariants
// The shares of the rows are destroyed before the constructor returns. Every getter waits until its figures are ready,
// while other tasks continue; any task may call it.
//
// Errors
// A violated disclosure rule ends the task group with Error(refused), at all parties.
#pragma once
#include <functional>
#include <memory>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "base/cancel.h"
#include "disclosure/row_rules.h"
#include "mpc/task_group.h"

namespace pgmpc {

struct JoinedRecords {
  std::vector<FpVector> columns;  // shares, kDataBits; attributes, then outcomes
  ColumnInputs inputs;
  std::vector<ColumnDescription> described;  // public, one per column
  std::size_t attributes = 0;
};

class SharedFigures {
 public:
  // Starts the tasks that compute the figures. needs_approximation: some analysis calls near().
  SharedFigures(const Fixed& fixed, TaskGroup& tasks, JoinedRecords records, RowRules rules, bool needs_approximation,
                const CancelToken& cancel);
  ~SharedFigures();

  std::size_t rows() const;
  const std::vector<ColumnDescription>& described() const;
  const ApproximateCorrelation& near();
  const Standardised& standardised();
  // Means over the joined rows in local units, kMeanBits. Call it after standardised().
  const FpVector& means();
  // The task that opens the bit of the disclosure rules. Nothing else may be opened before it ends. Call it after
  // standardised().
  const TaskGroup::Handle& rules() const;

 private:
  class Precheck;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgmpc
