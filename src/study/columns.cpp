// Implements the order of the joined columns.
#include "study/columns.h"

namespace pgmpc {

std::vector<JoinedColumn> joined_columns(const Spec& spec) {
  std::vector<JoinedColumn> out;
  for (const bool outcome : {false, true})
    for (std::size_t party = 0; party < spec.controllers.size(); ++party) {
      const ControllerSpec& controller = spec.controllers[party];
      const std::size_t first = outcome ? controller.attributes.size() : 0;
      const std::vector<std::string>& names = outcome ? controller.outcomes : controller.attributes;
      for (std::size_t j = 0; j < names.size(); ++j)
        out.push_back({static_cast<int>(party), first + j, names[j], outcome});
    }
  return out;
}

void check_two_valued(const Spec& spec, const std::map<std::string, std::set<std::string>>& two_valued) {
  for (const ControllerSpec& controller : spec.controllers)
    if (!two_valued.contains(controller.party)) return;
  for (const AnalysisEntry& entry : spec.analyses) {
    std::vector<bool> of_entry;
    for (const NamedColumn& column : entry.columns.names)
      of_entry.push_back(two_valued.at(column.party).contains(column.name));
    entry.analysis->check_two_valued(entry.columns, of_entry);
  }
}

std::size_t column_count(const Spec& spec, int controller) {
  const ControllerSpec& own = spec.controllers.at(static_cast<std::size_t>(controller));
  return own.attributes.size() + own.outcomes.size();
}

}  // namespace pgmpc
