// A released result: a table with a name, such as the coefficients of a model.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pgmpc {

// rows: a JSON array of objects with the same keys. A number that is not finite is null.
struct Relation {
  std::string name;
  nlohmann::json rows = nlohmann::json::array();
};

using Relations = std::vector<Relation>;

// For checks of a result that another party gives: a number or null; a whole number from 0 to most.
inline bool is_number_or_null(const nlohmann::json& value) { return value.is_null() || value.is_number(); }
inline bool is_count(const nlohmann::json& value, std::int64_t most) {
  return value.is_number_integer() && value.get<std::int64_t>() >= 0 && value.get<std::int64_t>() <= most;
}

struct AnalysisResult {
  std::string analysis;  // its name in the spec
  Relations relations;
};

}  // namespace pgmpc
