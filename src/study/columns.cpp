// Implements the order of the joined columns.
#include "study/columns.h"

#include "study/levels.h"

namespace pgmpc {

std::vector<JoinedColumn> joined_columns(const Spec& spec) {
  std::vector<JoinedColumn> out;
  std::array<std::size_t, 2> places{};
  for (const auto& [role, names] : {std::pair(ColumnRole::attribute, &ControllerSpec::attributes),
                                    std::pair(ColumnRole::outcome, &ControllerSpec::outcomes),
                                    std::pair(ColumnRole::reference, &ControllerSpec::references)})
    for (std::size_t party = 0; party < spec.controllers.size(); ++party)
      for (const std::string& name : spec.controllers[party].*names)
        out.push_back({static_cast<int>(party), places[party]++, name, role});
  return out;
}

void check_two_valued(const Spec& spec, const std::map<std::string, std::set<std::string>>& two_valued) {
  for (const ControllerSpec& controller : spec.controllers)
    if (!two_valued.contains(controller.party)) return;
  for (const AnalysisEntry& entry : spec.analyses) {
    std::vector<bool> of_entry;
    for (const NamedColumn& column : entry.columns.names)
      of_entry.push_back(level_of(column.name) || two_valued.at(column.party).contains(column.name));
    entry.analysis->check_two_valued(entry.columns, of_entry);
  }
}

std::size_t column_count(const Spec& spec, int controller) {
  const ControllerSpec& own = spec.controllers.at(static_cast<std::size_t>(controller));
  return own.attributes.size() + own.outcomes.size() + own.references.size();
}

}  // namespace pgmpc
