// What the analyses of a study share: figures of all joined columns, made once, and the disclosure rules over them.
//
// Terms
// near = correlations of the attributes within 5 %, some rounds before the exact ones (algebra/standardise.h).
// rules = the one opened bit of all disclosure rules (disclosure/precheck.h).
//
// Invariants
// The rows are gone when the constructor returns. Every getter waits, in the rounds of the other tasks, until its
// figures are there; it may be called by any task. All of them end when a rule is broken: Error(refused) at all
// parties.
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
  // needs_approximation: some analysis asks for near().
  SharedFigures(const Fixed& fixed, TaskGroup& tasks, JoinedRecords records, RowRules rules, bool needs_approximation,
                const CancelToken& cancel);
  ~SharedFigures();

  std::size_t rows() const;
  std::size_t attributes() const;
  const std::vector<ColumnDescription>& described() const;
  const ApproximateCorrelation& near();
  const Standardised& standardised();
  // Of the joined rows in local units, kMeanBits; after standardised().
  const FpVector& means();
  // The task of the disclosure rules, which nothing may be opened before; after standardised().
  const TaskGroup::Handle& rules() const;

 private:
  class Precheck;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgmpc
