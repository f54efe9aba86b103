#include "study/spec_analysis.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "study/canonical_json.h"
#include "study/lambda_grid.h"

namespace pgmpc {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxLambdas = 100;
constexpr int kMaxIterations = 10'000;

void read_kind(Spec& spec, const SpecReader& analysis) {
  if (!analysis.has("kind")) return;
  const std::string name = spec_string(analysis.required("kind"), analysis.at("kind"));
  for (const AnalysisKind kind : {AnalysisKind::lasso, AnalysisKind::ridge, AnalysisKind::elastic_net}) {
    if (name != kind_name(kind)) continue;
    spec.kind = kind;
    return;
  }
  for (const char* later : {"describe", "glm", "survival"}) {
    if (name != later) continue;
    throw Error(ErrorCode::not_supported, "this kind of analysis is not supported", analysis.at("kind") + ": " + name,
                "one of lasso, ridge, elastic_net");
  }
  refuse_spec("unknown analysis in study spec", analysis.at("kind"), "\"" + pointer_to("", name).substr(1) + "\"",
              "one of lasso, ridge, elastic_net");
}

void read_lambda(Spec& spec, const json& value, const std::string& pointer) {
  double lambda = spec_number(value, pointer);
  if (lambda < 0) refuse_spec("lambda must not be negative", pointer, canonical_number(lambda));
  std::string hint;
  if (spec.precision != Precision::exact) {
    lambda = lambda_on_grid(lambda, spec.disclosure.min_lambda);
    hint = "lambdas that differ by less than 4.4 % are the same where release.precision is not exact";
  }
  if (std::count(spec.lambdas.begin(), spec.lambdas.end(), lambda) > 0) {
    refuse_spec("duplicate lambda in study spec", pointer, canonical_number(lambda), hint);
  }
  spec.lambdas.push_back(lambda == 0 ? 0 : lambda);  // no minus zero
}

void read_lambdas(Spec& spec, const SpecReader& analysis) {
  const json& value = analysis.required("lambda");
  const std::string pointer = analysis.at("lambda");
  if (!value.is_array()) return read_lambda(spec, value, pointer);
  for (const json& element : spec_array(value, pointer, 1, kMaxLambdas)) {
    read_lambda(spec, element, pointer_to(pointer, std::to_string(spec.lambdas.size())));
  }
}

// The kinds without a choice have their alpha written out: 1 is the lasso, 0 ridge.
void read_alpha(Spec& spec, const SpecReader& analysis) {
  const double own = spec.kind == AnalysisKind::ridge ? 0 : 1;
  spec.alpha = analysis.number("alpha", own, 0, 1, true);
  if (spec.alpha == 0) spec.alpha = 0;  // no minus zero
  if (spec.alpha == own || spec.kind == AnalysisKind::elastic_net) return;
  refuse_spec("alpha applies to elastic_net only", analysis.at("alpha"), canonical_number(spec.alpha),
              "leave alpha out or set analysis.kind to elastic_net");
}

void read_comparison(Spec& spec, const SpecReader& analysis) {
  if (!analysis.has("comparison")) return;
  const std::string name = spec_string(analysis.required("comparison"), analysis.at("comparison"));
  for (const ComparisonKind kind : {ComparisonKind::fast, ComparisonKind::compact}) {
    if (name != comparison_name(kind)) continue;
    spec.comparison = kind;
    return;
  }
  refuse_spec("unknown comparison in study spec", analysis.at("comparison"),
              "\"" + pointer_to("", name).substr(1) + "\"", "one of fast, compact");
}

void read_one_analysis(Spec& spec, const json& value, const std::string& pointer) {
  const SpecReader analysis(value, pointer, {"kind", "lambda", "alpha", "standardize", "comparison", "max_iterations"});
  read_kind(spec, analysis);
  read_lambdas(spec, analysis);
  read_alpha(spec, analysis);
  spec.standardize = analysis.boolean("standardize", spec.standardize);
  read_comparison(spec, analysis);
  spec.max_iterations = static_cast<int>(analysis.integer("max_iterations", spec.max_iterations, 1, kMaxIterations));
}

}  // namespace

std::string analysis_pointer(const Spec& spec, const SpecReader& root) {
  return root.has("analyses") ? pointer_to(root.at("analyses"), spec.analysis) : root.at("analysis");
}

// "analysis" is the short form of one entry of "analyses" that is named like its kind.
void read_analysis(Spec& spec, const SpecReader& root) {
  if (spec.format == 1 || !root.has("analyses")) {
    read_one_analysis(spec, root.required("analysis"), root.at("analysis"));
    spec.analysis = kind_name(spec.kind);
    return;
  }
  if (root.has("analysis"))
    refuse_spec("study spec has both analysis and analyses", root.at("analysis"), "found beside analyses",
                "analysis is the short form of one entry of analyses: leave one of them out");
  const SpecReader all(root.required("analyses"), root.at("analyses"));
  if (all.object().size() != 1)
    throw Error(all.object().empty() ? ErrorCode::invalid_parameter : ErrorCode::not_supported,
                all.object().empty() ? "study spec has no analysis" : "several analyses in one study are not supported",
                root.at("analyses") + ": " + std::to_string(all.object().size()) + " entries",
                "name one analysis; propose a study for each other one");
  const auto item = all.object().items().begin();
  spec.analysis = spec_name(json(item.key()), all.at(item.key()), "analysis");
  read_one_analysis(spec, item.value(), all.at(item.key()));
}

}  // namespace pgmpc
