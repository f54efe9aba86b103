// Implements the kinds lasso, ridge and elastic_net: reading their settings, describing them, checking their results.
#include "analysis/penalised/penalised.h"

#include <algorithm>

#include "analysis/penalised/lambda_grid.h"
#include "analysis/penalised/models.h"
#include "analysis/penalised/penalty.h"
#include "analysis/relation.h"
#include "analysis/shared_figures.h"
#include "json/canonical_json.h"
#include "json/spec_reader.h"

namespace pgmpc {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxLambdas = 100;
constexpr int kMaxIterations = 10'000;

const char* kind_name(PenaltyKind kind) {
  switch (kind) {
    case PenaltyKind::lasso:
      return "lasso";
    case PenaltyKind::ridge:
      return "ridge";
    case PenaltyKind::elastic_net:
      return "elastic_net";
  }
  return "";
}

class Penalised final : public Analysis {
 public:
  explicit Penalised(PenalisedSettings settings) : settings_(std::move(settings)) {}

  const char* kind() const override { return kind_name(settings_.kind); }

  json filled() const override {
    const std::vector<double>& lambdas = settings_.lambdas;
    // A single lambda is written as a number, the form that most specs use.
    return {{"kind", kind()},
            {"lambda", lambdas.size() == 1 ? json(lambdas.front()) : json(lambdas)},
            {"alpha", settings_.alpha},
            {"standardize", settings_.standardize},
            {"comparison", comparison_name(settings_.comparison)},
            {"max_iterations", settings_.max_iterations}};
  }

  bool needs_outcome() const override { return true; }
  ComparisonKind comparison() const override { return settings_.comparison; }
  std::size_t problems() const override { return settings_.lambdas.size(); }
  bool needs_approximation() const override {
    return std::any_of(settings_.lambdas.begin(), settings_.lambdas.end(),
                       [this](double lambda) { return needs_start_inverse(penalty_of(lambda, settings_.alpha)); });
  }
  std::int64_t models() const override { return static_cast<std::int64_t>(settings_.lambdas.size()); }
  // One number per coefficient, the intercept and R^2.
  std::int64_t numbers_of_model(const AnalysisColumns& columns) const override {
    return static_cast<std::int64_t>(columns.attributes.size()) + 2;
  }
  const char* step() const override { return kPenalisedStep; }
  Cost cost(const PlannedStudy& study, const AnalysisColumns& columns) const override {
    return penalised_cost(study, columns.attributes.size(), settings_);
  }

  AnalysisDescription words() const override {
    const std::size_t fits = settings_.lambdas.size();
    AnalysisDescription out;
    out.method = {"penalty", objective()};
    out.sends = settings_.comparison == ComparisonKind::fast
                    ? "shares of masked values and keys for comparisons"
                    : "shares of masked values and truth tables for comparisons";
    out.received = "coefficients, intercept, measure of fit";
    out.opened = "the coefficients, the intercept, R2 and the number of records of " + std::to_string(fits) +
                 (fits == 1 ? " fit" : " fits");
    out.opened_to_all = "number of iterations";
    out.public_facts.push_back({"public: iterations", "all parties learn how many iterations each fit took"});
    out.notes.push_back(
        {"public: lambdas",
         "lambdas lie on the grid 2^(k/16): the spec holds the nearest point of each one that was proposed"});
    return out;
  }

  std::vector<std::string> opened() const override { return {"iterations", "coefficients", "intercept", "r_squared"}; }

  std::string two_valued_outcome() const override {
    return std::string("outcome with only the values 0 and 1: ") + kind() +
           " fits a linear probability model, not a logistic regression";
  }

  std::unique_ptr<Computed> compute(const AnalysisRun& run) const override { return fit_penalised(run, settings_); }

  bool accepts(const Relations& relations, const AnalysisColumns& columns, std::int64_t rows) const override {
    return are_models(relations, settings_.lambdas, columns, rows);
  }

 private:
  // Returns the objective in words, with the numbers of the spec.
  std::string objective() const {
    const auto& [kind, lambdas, alpha, standardize, comparison, max_iterations] = settings_;
    const std::string lambda =
        lambdas.size() == 1 ? canonical_number(lambdas[0]) : "each of " + std::to_string(lambdas.size()) + " lambdas";
    const std::string part = canonical_number(alpha);
    const std::string scale = standardize ? "coefficients times the deviation of their column" : "coefficients";
    std::string text = std::string(kind_name(kind)) + ": least squares";
    if (alpha > 0) text += " + " + lambda + (alpha < 1 ? " * " + part : "") + " * sum of the absolute " + scale;
    if (alpha < 1)
      text += " + " + lambda + (alpha > 0 ? " * (1 - " + part + ")" : "") + " / 2 * sum of the squared " + scale;
    return text;
  }

  PenalisedSettings settings_;
};

class SettingsReader {
 public:
  SettingsReader(const json& value, const std::string& pointer, const SpecContext& around)
      : reader_(value, pointer,
                {"kind", "lambda", "alpha", "standardize", "comparison", "max_iterations", "attributes", "outcome"}),
        around_(around) {}

  PenalisedSettings read() {
    read_kind();
    read_lambdas();
    read_alpha();
    settings_.standardize = reader_.boolean("standardize", settings_.standardize);
    read_comparison();
    settings_.max_iterations =
        static_cast<int>(reader_.integer("max_iterations", settings_.max_iterations, 1, kMaxIterations));
    return std::move(settings_);
  }

 private:
  void read_kind() {
    if (!reader_.has("kind")) return;
    const std::string name = spec_string(reader_.required("kind"), reader_.at("kind"));
    for (const PenaltyKind kind : {PenaltyKind::lasso, PenaltyKind::ridge, PenaltyKind::elastic_net})
      if (name == kind_name(kind)) settings_.kind = kind;
  }

  void read_lambda(const json& value, const std::string& pointer) {
    double lambda = spec_number(value, pointer);
    if (lambda < 0) refuse_spec("lambda must not be negative", pointer, canonical_number(lambda));
    std::string hint;
    if (around_.precision != Precision::exact) {
      lambda = lambda_on_grid(lambda, around_.min_lambda);
      hint = "lambdas that differ by less than 4.4 % are the same where release.precision is not exact";
    }
    if (std::count(settings_.lambdas.begin(), settings_.lambdas.end(), lambda) > 0)
      refuse_spec("duplicate lambda in study spec", pointer, canonical_number(lambda), hint);
    if (around_.min_lambda && lambda < *around_.min_lambda)
      refuse_spec("lambda is below the agreed minimum", reader_.at("lambda"), canonical_number(lambda),
                  "disclosure.min_lambda is " + canonical_number(*around_.min_lambda));
    settings_.lambdas.push_back(lambda == 0 ? 0 : lambda);  // no minus zero
  }

  void read_lambdas() {
    const json& value = reader_.required("lambda");
    const std::string pointer = reader_.at("lambda");
    if (!value.is_array()) return read_lambda(value, pointer);
    for (const json& element : spec_array(value, pointer, 1, kMaxLambdas))
      read_lambda(element, pointer_to(pointer, std::to_string(settings_.lambdas.size())));
  }

  // The filled spec holds alpha for every kind: 1 for the lasso, 0 for ridge.
  void read_alpha() {
    const double own = settings_.kind == PenaltyKind::ridge ? 0 : 1;
    settings_.alpha = reader_.number("alpha", own, 0, 1, true);
    if (settings_.alpha == 0) settings_.alpha = 0;  // no minus zero
    if (settings_.alpha == own || settings_.kind == PenaltyKind::elastic_net) return;
    refuse_spec("alpha applies to elastic_net only", reader_.at("alpha"), canonical_number(settings_.alpha),
                "leave alpha out or set analysis.kind to elastic_net");
  }

  void read_comparison() {
    if (!reader_.has("comparison")) return;
    const std::string name = spec_string(reader_.required("comparison"), reader_.at("comparison"));
    for (const ComparisonKind kind : {ComparisonKind::fast, ComparisonKind::compact}) {
      if (name != comparison_name(kind)) continue;
      settings_.comparison = kind;
      return;
    }
    refuse_spec("unknown comparison in study spec", reader_.at("comparison"),
                "\"" + pointer_to("", name).substr(1) + "\"", "one of fast, compact");
  }

  SpecReader reader_;
  const SpecContext& around_;
  PenalisedSettings settings_;
};

}  // namespace

std::shared_ptr<const Analysis> read_penalised(const json& value, const std::string& pointer,
                                               const SpecContext& around) {
  return make_penalised(SettingsReader(value, pointer, around).read());
}

std::shared_ptr<const Analysis> make_penalised(PenalisedSettings settings) {
  return std::make_shared<const Penalised>(std::move(settings));
}

}  // namespace pgmpc
