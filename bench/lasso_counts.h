// Runs one analysis of three parties in one process: exact rounds and bytes, wall time, and the error of the models.
//
// Terms
// An ar set has 5000 records whose neighbouring columns are correlated with rho. Every third of the first 30 columns is
// in the model.
// The error is the largest difference from the clear-text solution over its largest coefficient (R^2: absolute).
#pragma once
#include "lasso_data.h"
#include "report.h"
#include "support/loopback_channel.h"
#include "support/plain_lasso.h"

namespace pgmpc::bench {

struct LassoCounts {
  Transcript transcript;   // of the first controller
  std::int64_t bytes = 0;  // of the party that sends most
  double seconds = 0;      // all three parties together
  std::vector<Model> models;
};

inline LassoCounts count_lasso(const LassoRequests& requests) {
  LoopbackNetwork network;
  CancelToken cancel;
  std::array<LassoCounts, kParties> counts;
  const double seconds = seconds_of([&] {
    run_parties(network, [&](Channel& channel) {
      const int party = channel.self();
      SessionKeys keys;
      for (int peer = 0; peer < kParties; ++peer) keys.pair[peer].data()[0] = static_cast<std::uint8_t>(party + peer);
      Session session(channel, 8, std::move(keys), system_rng(), cancel);
      counts[party].models = analyse(session, copy_of(requests[party]), cancel, {});
      counts[party].transcript = session.transcript();
      counts[party].bytes = session.transcript().bytes_sent;
    });
  });
  LassoCounts out = std::move(counts[0]);
  for (int party = 1; party < kParties; ++party) out.bytes = std::max(out.bytes, counts[party].bytes);
  out.seconds = seconds;
  return out;
}

inline test::PlainTable make_ar_table(std::size_t attributes, double rho) {
  std::mt19937_64 generator(2);
  std::normal_distribution<double> normal;
  test::PlainTable table;
  table.columns.resize(attributes);
  for (std::size_t r = 0; r < kLassoRows; ++r) {
    double y = 2 * normal(generator), before = 0;
    for (std::size_t j = 0; j < attributes; ++j) {
      before = j == 0 ? normal(generator) : rho * before + std::sqrt(1 - rho * rho) * normal(generator);
      table.columns[j].push_back(before);
      if (j % 3 == 0 && j < 30) y += (j % 2 == 0 ? 1 : -1) * (1 + 0.1 * static_cast<double>(j)) * before;
    }
    table.outcome.push_back(y);
  }
  return table;
}

// A data set with its shares and its clear-text solver.
class LassoSet {
 public:
  explicit LassoSet(test::PlainTable table) : plain_(table), most_(plain_.lambda_max(true)) {
    table.columns.push_back(std::move(table.outcome));
    requests_ = share_columns(table.columns);
  }

  // Fits all lambdas in the same rounds. They are given as fractions of the smallest lambda with an all-zero solution.
  LassoCounts fit(const std::vector<double>& fractions, double alpha) {
    for (AnalysisRequest& request : requests_) {
      request.lambdas.clear();
      for (double fraction : fractions) request.lambdas.push_back(fraction * most_);
      request.alpha = alpha;
    }
    LassoCounts counts = count_lasso(requests_);
    for (const Model& model : counts.models) compare(model, alpha);
    return counts;
  }
  double coefficient_error() const { return coefficient_error_; }
  double r_squared_error() const { return r_squared_error_; }

 private:
  void compare(const Model& model, double alpha) {
    const test::PlainFit expected = plain_.fit(model.lambda, true, alpha);
    double error = 0, largest = 0;
    for (std::size_t j = 0; j < expected.coefficients.size(); ++j) {
      error = std::max(error, std::fabs(model.coefficients[j] - expected.coefficients[j]));
      largest = std::max(largest, std::fabs(expected.coefficients[j]));
    }
    coefficient_error_ = std::max(coefficient_error_, error / largest);
    r_squared_error_ = std::max(r_squared_error_, std::fabs(model.r_squared - expected.r_squared));
  }

  test::PlainLasso plain_;
  double most_;
  LassoRequests requests_;
  double coefficient_error_ = 0, r_squared_error_ = 0;
};

}  // namespace pgmpc::bench
