// What stands in the way of a controller's column, or may surprise whoever reads the result, in words for the one who
// binds it: in mpc.check_source and in the notices of mpc.approve_study.
#pragma once
#include <string>

#include "linkage/column_summary.h"
#include "study/spec.h"

namespace pgmpc {

// Empty when there is nothing to say. The summary is that of the records that a run keeps.
std::string column_problem(const Spec& spec, int controller, const std::string& name, bool boolean,
                           const ColumnSummary& column);

}  // namespace pgmpc
