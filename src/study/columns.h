// The columns of a study and their order.
//
// Terms
// The joined columns are the attributes of controller 0, the attributes of controller 1, the outcomes of controller 0
// and those of controller 1, the references (study/levels.h) of controller 0 and those of controller 1, in this order. A
// controller's own columns are its attributes, its outcomes, then its references.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "study/spec.h"

namespace pgmpc {

enum class ColumnRole { attribute, outcome, reference };

struct JoinedColumn {
  int party = 0;          // its controller
  std::size_t local = 0;  // index among that controller's columns
  std::string name;
  ColumnRole role = ColumnRole::attribute;
};

// Returns the joined columns in their order.
std::vector<JoinedColumn> joined_columns(const Spec& spec);
// Checks the analyses against the columns that the approvals call two-valued: two_valued[party] has the names of one
// controller, or is absent where its approval has no list. Throws the errors of Analysis::check_two_valued.
void check_two_valued(const Spec& spec, const std::map<std::string, std::set<std::string>>& two_valued);
// Returns the number of a controller's own columns.
std::size_t column_count(const Spec& spec, int controller);

}  // namespace pgmpc
