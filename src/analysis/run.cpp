// Implements step 8: shared figures, one task per analysis, the validity bit, and the releases.
#include "analysis/run.h"

#include <algorithm>
#include <optional>

#include "analysis/computation.h"
#include "base/error.h"
#include "base/mutants.h"
#include "disclosure/precheck.h"

namespace pgmpc {
namespace {

// Returns the outcome columns of all analyses, sorted and without duplicates.
std::vector<std::size_t> outcomes_of(const std::vector<AnalysisTask>& tasks) {
  std::vector<std::size_t> out;
  for (const AnalysisTask& task : tasks)
    if (task.columns.outcome) out.push_back(*task.columns.outcome);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

FigureNeeds needs_of(const std::vector<AnalysisTask>& tasks, const std::vector<ColumnDescription>& columns) {
  FigureNeeds needs;
  needs.refusing.resize(columns.size());
  for (const AnalysisTask& task : tasks) {
    needs.approximation = needs.approximation || task.analysis->needs_approximation();
    for (const GroupedColumn& pair : task.analysis->grouped_columns(task.columns))
      if (columns[pair.group].binary && !columns[pair.column].binary) needs.grouped.insert(pair);
    for (std::size_t j = 0; j < task.columns.names.size(); ++j) {
      const NamedColumn& column = task.columns.names[j];
      if (!column.level.empty()) needs.together[{column.party, column.attribute}].insert(task.columns.attributes[j]);
    }
    if (!task.analysis->refuses_columns()) continue;
    for (const std::vector<std::size_t>* of : {&task.columns.attributes, &task.columns.left_out})
      for (const std::size_t column : *of) needs.refusing[column] = true;
    if (task.columns.outcome) needs.refusing[*task.columns.outcome] = true;
  }
  return needs;
}

// Opens the validity bit. The opening needs a message of every party, and each party sends its own only after `promise`
// has returned. So nothing is opened before all three parties can store the result.
void open_validity_bit(const Fixed& fixed, const std::vector<std::unique_ptr<Computed>>& computed,
                       const std::function<void()>& promise) {
  Fp violations;
  for (const auto& each : computed) violations += each->violations();
  if (promise && !mutant(Mutant::promises_late)) promise();
  if (!no_violations(fixed, Phase::validity, 0, 2, violations))
    throw Error(
        ErrorCode::refused, "the result failed its validity check and was not opened",
        "checked together under MPC: the outcome varies over the joined rows (in ridge every column does), the "
        "variance of every column is in range, the coefficients and R^2 are plausible, and no table with "
        "on_small_cell refuse breaks a disclosure rule; which one failed is not known to any party",
        "leave out columns that are constant, nearly constant or have extreme values, then propose a new version");
}

// An error of one of several analyses says which.
std::unique_ptr<Computed> compute_named(const AnalysisTask& task, const AnalysisRun& run, std::size_t count) {
  try {
    return task.analysis->compute(run);
  } catch (const Error& error) {
    if (count == 1 || error.code() != ErrorCode::not_converged) throw;
    throw Error(error.code(), error.message(), "analysis " + task.name + ", " + error.detail(), error.hint());
  }
}

}  // namespace

std::vector<AnalysisResult> run_analyses(Session& session, AnalysesRequest request, const CancelToken& cancel,
                                         const AnalysisProgress& progress) {
  const std::size_t count = request.tasks.size();
  std::size_t problems = 0;
  for (const AnalysisTask& task : request.tasks) {
    task.analysis->check_two_valued(task.columns, two_valued_attributes(task.columns, request.records.described));
    problems += task.analysis->problems();
  }
  session.set_comparison(request.tasks.at(0).analysis->comparison());
  const Fixed fixed{session,
                    Fixed::bits_for(request.records.columns.size(), request.records.columns.at(0).size(), problems)};
  request.rules.must_vary = outcomes_of(request.tasks);
  FigureNeeds needs = needs_of(request.tasks, request.records.described);
  if (progress) progress("standardise", 0, 1);

  // The tasks refer to these objects. They are declared before the group, whose destructor unwinds the tasks first.
  std::optional<SharedFigures> shared;
  std::vector<Fixed> scopes;
  std::vector<AnalysisRun> runs;
  std::vector<std::unique_ptr<Computed>> computed(count);
  std::vector<AnalysisResult> results(count);
  scopes.reserve(count);
  runs.reserve(count);
  TaskGroup tasks(session);
  shared.emplace(fixed, tasks, std::move(request.records), request.rules, std::move(needs), cancel);
  std::vector<TaskGroup::Handle> running;
  for (std::size_t k = 0; k < count; ++k) {
    scopes.push_back({session, fixed.bits, static_cast<std::uint16_t>(k + 1)});
    runs.push_back({scopes[k], tasks, *shared, request.tasks[k].columns, request.precision, request.recipients, cancel,
                    k == 0 ? progress : AnalysisProgress()});
    running.push_back(tasks.spawn([&, k] { computed[k] = compute_named(request.tasks[k], runs[k], count); }));
  }
  for (const auto& task : running) tasks.join(task);
  if (!mutant(Mutant::rules_not_awaited)) tasks.join(shared->rules());
  if (progress) progress("release", 0, 1);
  open_validity_bit(fixed, computed, request.before_release);
  running.clear();
  for (std::size_t k = 0; k < count; ++k)
    running.push_back(tasks.spawn([&, k] { results[k] = {request.tasks[k].name, computed[k]->release()}; }));
  for (const auto& task : running) tasks.join(task);
  if (request.before_release && mutant(Mutant::promises_late)) request.before_release();
  return results;
}

}  // namespace pgmpc
