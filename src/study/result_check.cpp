// Implements the check of a result: every analysis judges its own relations.
#include "study/result_check.h"

#include <map>

#include "analysis/relation.h"

namespace pgmpc {

bool accepts_result(const Spec& spec, std::int64_t matched, const nlohmann::json& result) try {
  if (result.at("matched") != matched || !result.at("relations").is_array()) return false;
  std::map<std::string, Relations> of;
  for (const auto& each : result.at("relations")) {
    if (each.size() != 3 || !each.at("rows").is_array()) return false;
    of[each.at("analysis").get<std::string>()].push_back({each.at("relation").get<std::string>(), each.at("rows")});
  }
  if (of.size() != spec.analyses.size()) return false;
  for (const AnalysisEntry& entry : spec.analyses) {
    const auto relations = of.find(entry.name);
    if (relations == of.end() || !entry.analysis->accepts(relations->second, entry.columns, matched)) return false;
  }
  return true;
} catch (const nlohmann::json::exception&) {
  return false;  // a missing key or a value of the wrong type
}

}  // namespace pgmpc
