// Released models, and how they look as relations.
#pragma once
#include <cstdint>
#include <vector>

#include "analysis/analysis.h"
#include "disclosure/precision_kind.h"

namespace pgmpc {

// One released model.
struct Model {
  double lambda = 0;
  int iterations = 0;
  bool received = false;             // false: this party is not a recipient, the rest is empty
  std::vector<double> coefficients;  // original units, in column order
  double intercept = 0;
  double r_squared = 0;
  // The grid of each number, in the unit of the number.
  std::vector<double> coefficient_grids;
  double intercept_grid = 0;
  double r_squared_grid = 0;
};

inline constexpr const char* kInterceptName = "(intercept)";  // of the coefficient that belongs to no party

// Builds the relations "coefficients" and "fit" (docs/sql_reference.md, mpc.coefficients and mpc.fit).
Relations model_relations(const std::vector<Model>& models, const AnalysisColumns& columns, std::size_t rows,
                          double alpha, Precision precision);

// Returns whether relations that a peer gives are models of these lambdas, attributes and records: every key, with a value
// of its type and in its range, and nothing else. Any JSON is taken.
bool are_models(const Relations& relations, const std::vector<double>& lambdas, const AnalysisColumns& columns,
                std::int64_t rows);

}  // namespace pgmpc
