// Says in words what prevents the use of a controller's column, or may surprise a reader of the result. The text is for
// the person who binds the column: mpc.check_source shows it, and mpc.approve_study raises it as a notice.
#pragma once
#include <string>

#include "linkage/column_summary.h"
#include "study/spec.h"

namespace pgmpc {

// Returns the problems of one column, separated by semicolons, or an empty string. boolean: the SQL type is boolean.
// column: the summary over the records that a run keeps.
std::string column_problem(const Spec& spec, int controller, const std::string& name, bool boolean,
                           const ColumnSummary& column);

}  // namespace pgmpc
