// A released result: a table with a name, such as the coefficients of a model.
#pragma once
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

struct AnalysisResult {
  std::string analysis;  // its name in the spec
  Relations relations;
};

}  // namespace pgmpc
