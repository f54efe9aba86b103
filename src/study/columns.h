// The columns of a study and their order.
//
// Terms
// joined columns = attributes of controller 0, attributes of controller 1, outcomes of controller 0, outcomes of
// controller 1. A controller's own columns are its attributes, then its outcomes.
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

std::vector<JoinedColumn> joined_columns(const Spec& spec);
std::size_t column_count(const Spec& spec, int controller);

}  // namespace pgmpc
