// Runs describe analyses on clear columns, and computes in the clear what they should release.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "analysis/describe/describe.h"
#include "support/analysis_harness.h"
#include "support/lasso_vectors.h"

namespace pgmpc::test {

struct ClearColumn {
  std::string party, name;
  std::vector<double> values{};
  bool two_valued = false;
  bool reference = false;  // the first level of a categorical attribute; references are the last columns
};

// The attribute of a column "attribute:level"; "" for other columns.
inline std::string attribute_of_level(const std::string& column) {
  const std::size_t at = column.find(':');
  return at == std::string::npos ? "" : column.substr(0, at);
}

// Whatever the analysis can describe.
inline DescribeSettings everything(std::vector<std::pair<std::string, std::string>> tables, std::string by) {
  DescribeSettings out;
  out.correlation = true;
  out.tables = std::move(tables);
  out.by = std::move(by);
  return out;
}

// The rules over the joint design at their defaults.
inline RowRules design_rules() {
  RowRules out;
  out.max_leverage = 0.4;
  out.max_vif = 200;
  return out;
}

// Draws from a bell-shaped distribution with deviation 1.
inline double bell(VectorGenerator& generator) { return static_cast<double>(generator.bell()) / 65536; }

inline double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Divides by the number of values.
inline double sd_of(const std::vector<double>& values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

inline double correlation_of(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum / static_cast<double>(a.size()) / sd_of(a) / sd_of(b);
}

// The values of `column` where the two-valued `group` has its higher (level) or lower value.
inline std::vector<double> in_group(const ClearColumn& column, const ClearColumn& group, bool level) {
  const double high = *std::max_element(group.values.begin(), group.values.end());
  std::vector<double> out;
  for (std::size_t i = 0; i < column.values.size(); ++i)
    if ((group.values[i] == high) == level) out.push_back(column.values[i]);
  return out;
}

struct DescribeOutcome {
  std::vector<AnalysisResult> results;
  std::array<Transcript, kParties> transcripts;
  std::shared_ptr<Error> error;

  const nlohmann::json& rows(const std::string& relation, std::size_t analysis = 0) const {
    return relation_of(results.at(analysis).relations, relation).rows;
  }
};

// Tells whether the rows are withheld: all of them, or none.
inline bool withheld(const DescribeOutcome& outcome, const std::string& relation,
                     const std::function<bool(const nlohmann::json&)>& which) {
  bool all = true, any = false, found = false;
  for (const nlohmann::json& row : outcome.rows(relation)) {
    if (!which(row)) continue;
    found = true;
    all = all && row.at("withheld").get<bool>();
    any = any || row.at("withheld").get<bool>();
  }
  EXPECT_TRUE(found) << relation;
  EXPECT_EQ(all, any) << "a table is withheld as a whole";
  return any;
}

inline bool withheld(const DescribeOutcome& outcome, const std::string& attribute, bool by_group) {
  return withheld(outcome, "describe", [&](const nlohmann::json& row) {
    return row.at("attribute") == attribute && row.at("by_level").is_null() != by_group;
  });
}

inline AnalysisColumns columns_named(const std::vector<ClearColumn>& columns) {
  AnalysisColumns out;
  const auto add = [&](std::size_t j) {
    const std::string attribute = attribute_of_level(columns[j].name);
    out.attributes.push_back(j);
    out.names.push_back({columns[j].party, columns[j].name, attribute,
                         attribute.empty() ? "" : columns[j].name.substr(attribute.size() + 1)});
  };
  for (std::size_t j = 0; j < columns.size(); ++j) {
    const std::string attribute = attribute_of_level(columns[j].name);
    if (columns[j].reference) continue;
    // A reference comes before the other levels of its attribute.
    if (!attribute.empty() && (j == 0 || attribute_of_level(columns[j - 1].name) != attribute))
      for (std::size_t k = j; k < columns.size(); ++k)
        if (columns[k].reference && attribute_of_level(columns[k].name) == attribute) add(k);
    add(j);
  }
  return out;
}

// All columns but references are attributes of the joint design. more: further analyses of the same join. Returns what
// party `reader` holds afterwards.
inline DescribeOutcome describe_columns(const std::vector<ClearColumn>& columns, const DescribeSettings& settings,
                                        Precision precision = Precision::exact, RowRules rules = {}, int reader = 0,
                                        unsigned recipients = 7, const std::vector<AnalysisTask>& more = {}) {
  PlainTable table;
  std::vector<std::size_t> two_valued;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    table.columns.push_back(columns[j].values);
    if (columns[j].two_valued) two_valued.push_back(j);
  }
  table.outcome = columns.back().values;  // encode_rows adds it as a last column, which is left out again
  EncodedRows rows = encode_rows(table, two_valued);
  rows.columns.pop_back();
  for (auto* inputs : {&rows.means, &rows.steps, &rows.inverse_steps}) inputs->pop_back();
  rows.described.pop_back();
  MpcHarness h(47);
  const DealtRows dealt(h, rows);
  CancelToken cancel;
  const auto analysis = make_describe(settings);
  auto outcomes = h.run([&](Session& s) {
    DescribeOutcome out;
    AnalysesRequest request;
    const auto attributes = std::count_if(columns.begin(), columns.end(), [](const auto& c) { return !c.reference; });
    request.records = dealt.of(s.self(), static_cast<std::size_t>(attributes));
    request.tasks.push_back({"table1", analysis, columns_named(columns)});
    request.tasks.insert(request.tasks.end(), more.begin(), more.end());
    request.rules = rules;
    request.precision = precision;
    request.recipients = recipients;
    try {
      out.results = run_analyses(s, std::move(request), cancel, {});
    } catch (const Error& error) {
      if (error.code() != ErrorCode::refused) throw;
      out.error = std::make_shared<Error>(error);
    }
    return out;
  });
  DescribeOutcome out = std::move(outcomes[reader]);
  for (int party = 0; party < kParties; ++party) out.transcripts[party] = h.transcript(party);
  return out;
}

}  // namespace pgmpc::test
