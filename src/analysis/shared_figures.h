// Computes once what all analyses of a study share: figures of the joined columns, and the disclosure rules over them.
//
// Terms
// approximation: correlations of the attributes within 5 %, ready some rounds before the exact ones
// (algebra/standardise.h).
// rules: the one opened bit of all disclosure rules (disclosure/precheck.h).
// refusing columns: those of analyses that need a refusal when a rule is violated. The level rule over other columns
// withholds what depends on them.
//
// Invariants
// The shares of the rows are destroyed before the constructor returns. Every getter waits until its figures are ready,
// while other tasks continue; any task may call it.
//
// Errors
// A violated disclosure rule ends the task group with Error(refused), at all parties.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "algebra/column.h"
#include "algebra/standardise.h"
#include "base/cancel.h"
#include "disclosure/dominance.h"
#include "disclosure/grouped_sums.h"
#include "disclosure/row_rules.h"
#include "mpc/task_group.h"

namespace pgmpc {

struct JoinedRecords {
  std::vector<FpVector> columns;  // shares, kDataBits; attributes, then outcomes
  ColumnInputs inputs;
  std::vector<ColumnDescription> described;  // public, one per column
  std::size_t attributes = 0;
};

// What the analyses of a study need.
struct FigureNeeds {
  bool approximation = false;  // some analysis calls approximation()
  std::vector<bool> refusing;  // one per joined column
  // Columns of the levels of an attribute, by party and attribute: one that is withheld withholds all.
  std::map<std::pair<std::string, std::string>, std::set<std::size_t>> together{};
  std::set<GroupedColumn> grouped{};  // for grouped()
};

class SharedFigures {
 public:
  // Starts the tasks that compute the figures.
  SharedFigures(const Fixed& fixed, TaskGroup& tasks, JoinedRecords records, RowRules rules, FigureNeeds needs,
                const CancelToken& cancel);
  ~SharedFigures();

  std::size_t rows() const;
  const std::vector<ColumnDescription>& described() const;
  const ApproximateCorrelation& approximation();
  const Standardised& standardised();
  // Means over the joined rows in local units, kMeanBits. Call it after standardised().
  const FpVector& means();
  const RowRules& row_rules() const;
  // Sums over all rows, and over those of each level.
  const Moments& moments() const;
  const GroupSums& stretches() const;
  const GroupedSums& grouped() const;
  // Per joined column a share of 1 if what depends on it must be withheld, else 0. Only two-valued columns that no
  // refusing analysis uses are withheld; all other violations refuse the study.
  const FpVector& withheld();
  // The task that opens the bit of the disclosure rules. Nothing else may be opened before it ends. Call it after
  // standardised().
  const TaskGroup::Handle& rules() const;

 private:
  class Precheck;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgmpc
