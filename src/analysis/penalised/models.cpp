#include "analysis/penalised/models.h"

#include <cmath>
#include <set>
#include <string>

#include "analysis/relation.h"
#include "json/canonical_json.h"

namespace pgmpc {

Relations model_relations(const std::vector<Model>& models, const AnalysisColumns& columns, std::size_t rows,
                          double alpha, Precision precision) {
  Relation coefficients{"coefficients"}, fit{"fit"};
  const double n = static_cast<double>(rows);
  const std::size_t d = columns.attributes.size();
  for (const Model& model : models) {
    // A coefficient that rounds to zero is not selected. The exact release without an l1 part selects every column.
    const bool penalised = model.lambda * alpha != 0, all = !penalised && precision == Precision::exact;
    nlohmann::json row = {
        {"lambda", model.lambda},         {"n", rows},         {"parameters", d + 1},  {"nonzero", 0},
        {"iterations", model.iterations}, {"converged", true}, {"r_squared", nullptr}, {"adjusted_r_squared", nullptr},
        {"r_squared_grid", nullptr}};
    if (model.received) {
      const auto add = [&](const nlohmann::json& party, const std::string& name, double value, bool selected,
                           double grid) {
        coefficients.rows.push_back({{"lambda", model.lambda},
                                     {"attribute", name},
                                     {"party", party},
                                     {"coefficient", value},
                                     {"selected", selected},
                                     {"grid", grid}});
      };
      int nonzero = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const double value = model.coefficients[j];
        const bool chosen = all || value != 0;
        nonzero += chosen;
        add(columns.names[j].party, columns.names[j].name, value, chosen, model.coefficient_grids[j]);
      }
      add(nullptr, kInterceptName, model.intercept, true, model.intercept_grid);
      row["nonzero"] = nonzero;
      row["r_squared"] = model.r_squared;
      row["r_squared_grid"] = model.r_squared_grid;
      const double freedom = n - (penalised ? nonzero : static_cast<double>(d)) - 1;
      if (freedom > 0) row["adjusted_r_squared"] = 1 - (1 - model.r_squared) * (n - 1) / freedom;
    }
    fit.rows.push_back(std::move(row));
  }
  return {std::move(coefficients), std::move(fit)};
}

namespace {

using nlohmann::json;

constexpr std::int64_t kMostIterations = 1'000'000;

bool is_exactly(const json& value, std::int64_t number) { return value.is_number_integer() && value == number; }

// A grid of a model that version 0.1.0 released is null.
bool is_grid(const json& value) { return value.is_null() || (value.is_number() && value.get<double>() > 0); }

bool is_fit(const json& row, std::int64_t parameters, std::int64_t n) {
  constexpr double kMostRSquared = 1.01;  // it is rounded
  return row.is_object() && row.size() == 9 && row.at("lambda").is_number() && is_exactly(row.at("n"), n) &&
         is_exactly(row.at("parameters"), parameters) && is_count(row.at("nonzero"), parameters) &&
         is_count(row.at("iterations"), kMostIterations) && row.at("converged") == true &&
         row.at("r_squared").is_number() && std::fabs(row.at("r_squared").get<double>()) <= kMostRSquared &&
         is_number_or_null(row.at("adjusted_r_squared")) && is_grid(row.at("r_squared_grid"));
}

std::string place(double lambda, const std::string& party, const std::string& attribute) {
  return canonical_number(lambda) + " " + party + "." + attribute;
}

// Returns "" for a row that is none.
std::string place_of(const json& row) {
  if (!row.is_object() || row.size() != 6 || !row.at("lambda").is_number() || !row.at("coefficient").is_number() ||
      !row.at("selected").is_boolean() || !is_grid(row.at("grid")))
    return "";
  const json& party = row.at("party");
  const std::string name = row.at("attribute").get<std::string>();
  if (party.is_null() != (name == kInterceptName)) return "";
  return place(row.at("lambda").get<double>(), party.is_null() ? "" : party.get<std::string>(), name);
}

bool are_fits(const json& rows, const std::vector<double>& lambdas, std::int64_t parameters, std::int64_t n) {
  std::multiset<double> found;
  for (const json& row : rows) {
    if (!is_fit(row, parameters, n)) return false;
    found.insert(row.at("lambda").get<double>());
  }
  return found == std::multiset<double>(lambdas.begin(), lambdas.end());
}

bool are_coefficients(const json& rows, const std::vector<double>& lambdas, const AnalysisColumns& columns) {
  std::multiset<std::string> expected, found;
  for (const double lambda : lambdas) {
    expected.insert(place(lambda, "", kInterceptName));
    for (const NamedColumn& column : columns.names) expected.insert(place(lambda, column.party, column.name));
  }
  for (const json& row : rows) found.insert(place_of(row));
  return found == expected;
}

}  // namespace

bool are_models(const Relations& relations, const std::vector<double>& lambdas, const AnalysisColumns& columns,
                std::int64_t rows) {
  const json* coefficients = nullptr;
  const json* fits = nullptr;
  for (const Relation& relation : relations) {
    if (relation.name == "coefficients") coefficients = &relation.rows;
    if (relation.name == "fit") fits = &relation.rows;
  }
  const auto parameters = static_cast<std::int64_t>(columns.attributes.size()) + 1;
  return relations.size() == 2 && coefficients != nullptr && fits != nullptr &&
         are_fits(*fits, lambdas, parameters, rows) && are_coefficients(*coefficients, lambdas, columns);
}

}  // namespace pgmpc
