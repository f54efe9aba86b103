// Implements the registry: one line per kind of analysis.
#include "analysis/registry.h"

#include <string_view>

#include "analysis/describe/describe.h"
#include "analysis/penalised/penalised.h"
#include "base/error.h"
#include "json/canonical_json.h"

namespace pgmpc {
namespace {

using nlohmann::json;

struct Kind {
  std::string_view name;
  std::shared_ptr<const Analysis> (*read)(const json& value, const std::string& pointer, const SpecContext& around);
};

constexpr Kind kKinds[] = {
    {"lasso", read_penalised}, {"ridge", read_penalised}, {"elastic_net", read_penalised}, {"describe", read_describe}};
constexpr std::string_view kLaterKinds[] = {"glm", "survival"};

std::string known_kinds() {
  std::string names;
  for (const Kind& kind : kKinds) names += (names.empty() ? "one of " : ", ") + std::string(kind.name);
  return names;
}

}  // namespace

std::shared_ptr<const Analysis> read_analysis(const json& value, const std::string& pointer,
                                              const SpecContext& around) {
  const SpecReader reader(value, pointer);
  std::string name(kKinds[0].name);
  if (reader.has("kind")) name = spec_string(reader.required("kind"), reader.at("kind"));
  for (const Kind& kind : kKinds)
    if (name == kind.name) return kind.read(value, pointer, around);
  for (const std::string_view later : kLaterKinds)
    if (name == later)
      throw Error(ErrorCode::not_supported, "this kind of analysis is not supported", reader.at("kind") + ": " + name,
                  known_kinds());
  refuse_spec("unknown analysis in study spec", reader.at("kind"), "\"" + pointer_to("", name).substr(1) + "\"",
              known_kinds());
}

}  // namespace pgmpc
