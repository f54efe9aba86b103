// Implements the filled document, for both formats.
#include "study/spec_fill.h"

#include <nlohmann/json.hpp>

#include "json/canonical_json.h"
#include "study/spec_analyses.h"
#include "study/spec_identifier.h"

namespace pgmpc {
namespace {

using nlohmann::json;

template <typename T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

json filled_attributes(const ControllerSpec& controller) {
  json out = json::array();
  for (const DeclaredAttribute& attribute : controller.declared) {
    json entry = attribute.name;
    if (!attribute.levels.empty()) entry = {{"name", attribute.name}, {"levels", attribute.levels}};
    out.push_back(std::move(entry));
  }
  return out;
}

json filled_outcome(const ControllerSpec& controller) {
  return controller.outcomes.size() == 1 ? json(controller.outcomes.front()) : json(controller.outcomes);
}

json filled_disclosure(const Spec& spec) {
  const DisclosureSpec& rules = spec.disclosure;
  json out = {{"min_matched", rules.min_matched},         {"max_parameter_ratio", rules.max_parameter_ratio},
              {"min_level_count", rules.min_level_count}, {"max_dominance", rules.max_dominance},
              {"model_budget", rules.model_budget},       {"min_cohort_change", rules.min_cohort_change},
              {"min_lambda", or_null(rules.min_lambda)}};
  if (spec.format == 1) return out;
  out["max_leverage"] = rules.max_leverage;
  out["max_vif"] = or_null(rules.max_vif);
  out["max_columns"] = or_null(rules.max_columns);
  out["versions"] = rules.versions;
  out["released_numbers"] = or_null(rules.released_numbers);
  out["own_moments"] = rules.own_moments;
  return out;
}

}  // namespace

std::string filled_spec(const Spec& spec) {
  json controllers = json::object();
  json exponents = json::object();
  for (const ControllerSpec& controller : spec.controllers) {
    json& entry = controllers[controller.party] = {{"attributes", filled_attributes(controller)}};
    if (!controller.outcomes.empty()) entry["outcome"] = filled_outcome(controller);
    if (!controller.scale_exponents.empty()) exponents[controller.party] = controller.scale_exponents;
  }
  json out = {{"controllers", controllers},
              {"third_party", spec.third_party},
              {"key_bits", spec.key_bits},
              {"identifier", filled_identifier(spec)},
              {"recipients", spec.recipients},
              {"expected_records", or_null(spec.expected_records)},
              {"scale_exponents", exponents},
              {"keep_shares", spec.keep_shares},
              {"disclosure", filled_disclosure(spec)}};
  if (spec.format == 1) {
    out["analysis"] = filled_analysis(spec.analyses.at(0));
  } else {
    out["format"] = spec.format;
    out["analyses"] = json::object();
    for (const AnalysisEntry& entry : spec.analyses) out["analyses"][entry.name] = filled_analysis(entry);
    out["release"] = {{"precision", precision_name(spec.precision)}};
    out["refusal"] = spec.refusal;
    if (spec.expect_matched) out["expect_matched"] = {spec.expect_matched->first, spec.expect_matched->second};
  }
  return canonical_json(out);
}

}  // namespace pgmpc
