// The columns of a study and their order.
//
// Terms
// The joined columns are the attributes of controller 0, the attributes of controller 1, the outcomes of controller 0
// and the outcomes of controller 1, in this order. A controller's own columns are its attributes, then its outcomes.
#pragma once
#include <string>
#include <vector>

#include "study/spec.h"

namespace pgmpc {

struct JoinedColumn {
  int party = 0;          // its controller
  std::size_t local = 0;  // index among that controller's columns
  std::string name;
  bool outcome = false;
};

// Returns the joined columns in their order.
std::vector<JoinedColumn> joined_columns(const Spec& spec);
// Returns the number of a controller's own columns.
std::size_t column_count(const Spec& spec, int controller);

}  // namespace pgmpc
