// Runs the penalised analysis on clear rows: encodes them as their owners would, deals shares, runs three parties.
#pragma once
#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "linkage/encoding.h"
#include "support/mpc_harness.h"
#include "support/penalised_request.h"
#include "support/plain_lasso.h"

namespace pgmpc::test {

// The joined rows as their owners encode them, by mean and spread of a larger population. It also has a shifted copy of
// every third record, which did not join.
struct EncodedRows {
  std::vector<std::vector<i128>> columns;
  std::vector<i128> means, steps, inverse_steps;
  std::vector<ColumnDescription> described;
};

inline EncodedRows encode_rows(const PlainTable& table, const std::vector<std::size_t>& binary = {}) {
  EncodedRows out;
  const auto add = [&](const std::vector<double>& values, bool is_binary) {
    std::vector<double> population = values;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double reach = *high - *low;
    if (!is_binary)
      for (std::size_t r = 0; r < values.size(); r += 3) population.push_back(values[r] + 0.2 * reach);
    const EncodedColumn column = is_binary ? encode_two_valued("c", population) : encode_column("c", population, false);
    out.columns.emplace_back(column.values.begin(), column.values.begin() + static_cast<std::ptrdiff_t>(values.size()));
    out.means.push_back(column.scaled_mean);
    out.steps.push_back(column.step);
    out.inverse_steps.push_back(column.inverse_step);
    out.described.push_back({column.exponent, column.binary});
  };
  for (std::size_t j = 0; j < table.columns.size(); ++j)
    add(table.columns[j], std::find(binary.begin(), binary.end(), j) != binary.end());
  add(table.outcome, false);
  return out;
}

struct AnalysisSettings {
  std::vector<double> lambdas{};
  bool standardize = true;
  int max_iterations = 400;
  RowRules rules{};
  unsigned recipients = 7;
  double alpha = 1;
  ComparisonKind comparison = ComparisonKind::fast;
  Precision precision = Precision::exact;
};

struct AnalysisOutcome {
  std::vector<Model> models;
  Transcript transcript;
  std::shared_ptr<Error> error;  // of an outcome that all parties reach by themselves: refused, not_converged
};

// Shares of encoded rows, of all parties.
struct DealtRows {
  std::vector<std::array<FpVector, kParties>> columns;
  std::array<FpVector, kParties> means, steps, inverse_steps;
  std::vector<ColumnDescription> described;

  DealtRows(MpcHarness& h, const EncodedRows& rows)
      : means(h.deal(rows.means)),
        steps(h.deal(rows.steps)),
        inverse_steps(h.deal(rows.inverse_steps)),
        described(rows.described) {
    for (const auto& column : rows.columns) columns.push_back(h.deal(column));
  }

  // What one party holds of them. The columns from `attributes` on are outcomes.
  JoinedRecords of(int party, std::size_t attributes) const {
    const auto at = static_cast<std::size_t>(party);
    JoinedRecords out;
    for (const auto& column : columns) out.columns.push_back(column[at].clone());
    out.inputs = {means[at].clone(), steps[at].clone(), inverse_steps[at].clone()};
    out.described = described;
    out.attributes = attributes;
    return out;
  }
};

// Runs the analysis and returns what party `reader` holds afterwards.
inline AnalysisOutcome attempt_rows(const EncodedRows& rows, const AnalysisSettings& settings, int reader = 0) {
  MpcHarness h(41);
  const DealtRows dealt(h, rows);
  CancelToken cancel;
  auto results = h.run([&](Session& s) {
    AnalysisOutcome out;
    AnalysisRequest request;
    JoinedRecords own = dealt.of(s.self(), rows.columns.size() - 1);
    request.columns = std::move(own.columns);
    request.inputs = std::move(own.inputs);
    request.described = std::move(own.described);
    request.lambdas = settings.lambdas;
    request.alpha = settings.alpha;
    request.standardize = settings.standardize;
    request.comparison = settings.comparison;
    request.max_iterations = settings.max_iterations;
    request.rules = settings.rules;
    request.precision = settings.precision;
    request.recipients = settings.recipients;
    try {
      out.models = analyse(s, std::move(request), cancel, {});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::refused && error.code() != ErrorCode::not_converged) throw;
      out.error = std::make_shared<Error>(error);
    }
    return out;
  });
  results[reader].transcript = h.transcript(reader);
  return std::move(results[reader]);
}

// The same, but throws the error.
inline AnalysisOutcome analyse_rows(const EncodedRows& rows, const AnalysisSettings& settings, int reader = 0) {
  AnalysisOutcome out = attempt_rows(rows, settings, reader);
  if (out.error) throw Error(*out.error);
  return out;
}

}  // namespace pgmpc::test
