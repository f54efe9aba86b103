// One penalised analysis of all columns, for tests and benchmarks, and its models read back from the relations.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "analysis/penalised/models.h"
#include "analysis/penalised/penalised.h"
#include "analysis/run.h"

namespace pgmpc {

struct AnalysisRequest {
  std::vector<FpVector> columns;  // shares, kDataBits; the outcome last
  ColumnInputs inputs;
  std::vector<ColumnDescription> described;
  std::vector<double> lambdas;
  double alpha = 1;
  bool standardize = true;
  ComparisonKind comparison = ComparisonKind::fast;
  int max_iterations = 200;
  Precision precision = Precision::exact;
  RowRules rules;
  unsigned recipients = 7;
};

inline PenalisedSettings settings_of(const AnalysisRequest& request) {
  PenalisedSettings settings;
  settings.kind = request.alpha == 1   ? PenaltyKind::lasso
                  : request.alpha == 0 ? PenaltyKind::ridge
                                       : PenaltyKind::elastic_net;
  settings.lambdas = request.lambdas;
  settings.alpha = request.alpha;
  settings.standardize = request.standardize;
  settings.comparison = request.comparison;
  settings.max_iterations = request.max_iterations;
  return settings;
}

// Returns the first d joined columns as attributes of the party "p", and the next one as the outcome.
inline AnalysisColumns all_columns(std::size_t d) {
  AnalysisColumns columns;
  for (std::size_t j = 0; j < d; ++j) {
    columns.attributes.push_back(j);
    columns.names.push_back({"p", "x" + std::to_string(j)});
  }
  columns.outcome = d;
  return columns;
}

inline const Relation& relation_of(const Relations& relations, const std::string& name) {
  for (const Relation& relation : relations)
    if (relation.name == name) return relation;
  throw Error(ErrorCode::internal, "there is no relation " + name);
}

inline std::vector<Model> models_in(const Relations& relations) {
  std::vector<Model> models;
  for (const auto& row : relation_of(relations, "fit").rows) {
    Model model;
    model.lambda = row.at("lambda");
    model.iterations = row.at("iterations");
    model.received = !row.at("r_squared").is_null();
    if (model.received) {
      model.r_squared = row.at("r_squared");
      model.r_squared_grid = row.at("r_squared_grid");
    }
    for (const auto& c : relation_of(relations, "coefficients").rows) {
      if (c.at("lambda") != model.lambda) continue;
      if (c.at("party").is_null()) {
        model.intercept = c.at("coefficient");
        model.intercept_grid = c.at("grid");
      } else {
        model.coefficients.push_back(c.at("coefficient"));
        model.coefficient_grids.push_back(c.at("grid"));
      }
    }
    models.push_back(std::move(model));
  }
  return models;
}

// Runs one analysis. Consumes the shares of the request.
inline std::vector<Model> analyse(Session& session, AnalysisRequest request, const CancelToken& cancel,
                                  const AnalysisProgress& progress) {
  AnalysesRequest all;
  const std::size_t d = request.columns.size() - 1;
  all.tasks.push_back({"fit", make_penalised(settings_of(request)), all_columns(d)});
  all.records = {std::move(request.columns), std::move(request.inputs), std::move(request.described), d};
  all.rules = std::move(request.rules);
  all.precision = request.precision;
  all.recipients = request.recipients;
  return models_in(run_analyses(session, std::move(all), cancel, progress).at(0).relations);
}

struct PlannedAnalysis {
  std::size_t columns = 0;  // attributes and the outcome
  std::size_t rows = 0;
  std::vector<double> lambdas;
  double alpha = 1;
  bool standardize = true;
  int max_iterations = 200;
  double max_dominance = 0.5;
  ComparisonKind comparison = ComparisonKind::fast;
  Precision precision = Precision::exact;
  double max_leverage = 1;
  double max_vif = 0;
};

inline Cost cost_of(const PlannedAnalysis& plan) {
  PlannedStudy study;
  study.attributes = plan.columns - 1;
  study.others = 1;
  study.rows = plan.rows;
  study.problems = plan.lambdas.size();
  study.rules.max_dominance = plan.max_dominance;
  study.rules.max_leverage = plan.max_leverage;
  study.rules.max_vif = plan.max_vif;
  study.comparison = plan.comparison;
  study.precision = plan.precision;
  PenalisedSettings settings;
  settings.lambdas = plan.lambdas;
  settings.alpha = plan.alpha;
  settings.standardize = plan.standardize;
  settings.comparison = plan.comparison;
  settings.max_iterations = plan.max_iterations;
  const Cost shared = shared_cost(study), own = penalised_cost(study, study.attributes, settings);
  return {shared.exposure + own.exposure, shared.rounds + own.rounds, shared.bytes + own.bytes};
}
inline double planned_exposure(const PlannedAnalysis& plan) { return cost_of(plan).exposure; }
inline std::int64_t typical_rounds(const PlannedAnalysis& plan) { return cost_of(plan).rounds; }
inline std::int64_t typical_bytes_per_party(const PlannedAnalysis& plan) { return cost_of(plan).bytes; }

}  // namespace pgmpc
