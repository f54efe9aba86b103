// The data of the lasso benchmarks (".d30"), as shares of the three parties: 5000 records of 30 attributes, 10 of them
// in the model; lambda = 0.1 lambda_max, standardised.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "shared_records.h"
#include "support/penalised_request.h"

namespace pgmpc::bench {

inline constexpr std::size_t kLassoRows = 5000, kLassoAttributes = 30, kLassoInformative = 10;

struct LassoData {
  std::vector<std::vector<double>> columns;  // the outcome last
  double lambda = 0;
};

// Makes independent standard normal attributes, coefficients up to 100 and noise 10, as scikit-learn's make_regression.
inline LassoData make_lasso_data() {
  std::mt19937_64 generator(1);
  std::normal_distribution<double> normal;
  LassoData data;
  data.columns.assign(kLassoAttributes + 1, std::vector<double>(kLassoRows));
  std::vector<double> beta(kLassoAttributes);
  for (std::size_t j = 0; j < kLassoInformative; ++j)
    beta[j * 3] = 100 * std::generate_canonical<double, 53>(generator);
  double mean = 0;
  for (std::size_t r = 0; r < kLassoRows; ++r) {
    double y = 10 * normal(generator);
    for (std::size_t j = 0; j < kLassoAttributes; ++j) y += beta[j] * (data.columns[j][r] = normal(generator));
    mean += (data.columns[kLassoAttributes][r] = y) / kLassoRows;
  }
  for (std::size_t j = 0; j < kLassoAttributes; ++j) {
    double sum = 0, squares = 0, product = 0;
    for (std::size_t r = 0; r < kLassoRows; ++r) {
      const double x = data.columns[j][r];
      sum += x;
      squares += x * x;
      product += x * (data.columns[kLassoAttributes][r] - mean);
    }
    const double sd = std::sqrt(squares / kLassoRows - sum * sum / kLassoRows / kLassoRows);
    data.lambda = std::max(data.lambda, 0.1 * std::fabs(product) / kLassoRows / sd);
  }
  return data;
}

using LassoRequests = std::array<AnalysisRequest, kParties>;

// Shares the columns, the outcome last.
inline LassoRequests share_columns(const std::vector<std::vector<double>>& columns) {
  std::vector<EncodedColumn> encoded;
  for (const auto& values : columns) encoded.push_back(encode_column("x", values, false));
  LassoRequests requests;
  auto records = share_records(encoded);
  for (std::size_t party = 0; party < kParties; ++party) {
    requests[party].columns = std::move(records[party].columns);
    requests[party].inputs = std::move(records[party].inputs);
    requests[party].described = std::move(records[party].described);
  }
  return requests;
}

inline LassoRequests make_lasso_requests() {
  const LassoData data = make_lasso_data();
  LassoRequests requests = share_columns(data.columns);
  for (auto& request : requests) request.lambdas = {data.lambda};
  return requests;
}

// The same with the default rules and precision of a spec.
inline LassoRequests make_default_requests() {
  LassoRequests requests = make_lasso_requests();
  for (auto& request : requests) {
    request.precision = Precision::statistical;
    request.rules.max_leverage = 0.4;
    request.rules.max_vif = 200;
  }
  return requests;
}

// Returns a copy, because analyse() consumes its request.
inline AnalysisRequest copy_of(const AnalysisRequest& request) {
  AnalysisRequest out;
  out.columns = copy_of(request.columns);
  out.inputs = copy_of(request.inputs);
  out.described = request.described;
  out.lambdas = request.lambdas;
  out.alpha = request.alpha;
  out.standardize = request.standardize;
  out.comparison = request.comparison;
  out.max_iterations = request.max_iterations;
  out.precision = request.precision;
  out.rules = request.rules;
  return out;
}

}  // namespace pgmpc::bench
