// Data sets in which a chosen column singles out one record, and honest ones that no rule may refuse (rule F11). They
// have five numeric columns, then the columns that the attacker chose. The outcome is skewed: days in hospital.
//
// Terms
// The target is the record whose outcome the attacker wants to know.
// A set is caught when the level rule at 10 refuses it (single levels and pairs of levels). It does not catch a
// combination of three columns; for that min_lambda exists.
//
// Invariants
// The data come from VectorGenerator with fixed seeds. They are the same on every machine except for the last bit of
// exp().
#pragma once
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "support/lasso_vectors.h"
#include "support/plain_lasso.h"

namespace pgmpc::test {

struct DisclosureData {
  std::string name;
  PlainTable table;
  std::vector<std::size_t> binary;  // columns declared 0/1
  std::size_t target = 0;
  bool attack = true;
  bool caught = true;  // by the level rule
};

// Returns numeric columns of n records, and an outcome that depends weakly on the first one.
inline PlainTable hospital_days(std::uint64_t seed, std::size_t n) {
  constexpr std::size_t kNumeric = 5;
  VectorGenerator generator(seed);
  PlainTable table;
  table.columns.resize(kNumeric);
  const auto bell = [&generator] { return static_cast<double>(generator.bell()) / 65536; };
  for (std::size_t i = 0; i < n; ++i) {
    for (auto& column : table.columns) column.push_back(bell());
    table.outcome.push_back(std::round(std::exp(0.8 * bell() + 0.3 * table.columns[0][i])));
  }
  return table;
}

inline void add_flag(DisclosureData& data, const std::function<bool(std::size_t)>& holds) {
  std::vector<double> column;
  for (std::size_t i = 0; i < data.table.outcome.size(); ++i) column.push_back(holds(i) ? 1 : 0);
  data.binary.push_back(data.table.columns.size());
  data.table.columns.push_back(std::move(column));
}

// A group of 20 and the same group without the target. Every level has at least 19 records; the difference has one.
inline DisclosureData pair_of_groups() {
  DisclosureData data{"pair of groups 20 and 19", hospital_days(1, 1000), {}, 0, true, true};
  add_flag(data, [](std::size_t i) { return i < 20; });
  add_flag(data, [](std::size_t i) { return i > 0 && i < 20; });
  return data;
}

// Group C = A + B + target. Any two of the three groups differ in at least 15 records.
inline DisclosureData three_groups() {
  DisclosureData data{"groups 14, 14 and 29", hospital_days(2, 1000), {}, 28, true, false};
  add_flag(data, [](std::size_t i) { return i < 14; });
  add_flag(data, [](std::size_t i) { return i >= 14 && i < 28; });
  add_flag(data, [](std::size_t i) { return i <= 28; });
  return data;
}

inline DisclosureData one_person_flag() {
  DisclosureData data{"flag of one record", hospital_days(3, 1000), {}, 17, true, true};
  add_flag(data, [](std::size_t i) { return i == 17; });
  return data;
}

// The same with levels exchanged: everybody but the target.
inline DisclosureData everybody_else() {
  DisclosureData data{"flag of everybody else", hospital_days(4, 1000), {}, 17, true, true};
  add_flag(data, [](std::size_t i) { return i != 17; });
  return data;
}

// One record dominates the outcome, or the outcome does not vary. Only the dominance rule refuses these.
inline DisclosureData outlier_outcome() {
  DisclosureData data{"outcome of one record dominates", hospital_days(5, 1000), {}, 3, true, false};
  data.table.outcome[3] = 1e6;
  return data;
}

inline DisclosureData constant_outcome() {
  DisclosureData data{"constant outcome", hospital_days(6, 1000), {}, 0, true, false};
  data.table.outcome.assign(1000, 7);
  return data;
}

inline DisclosureData common_flag() {
  DisclosureData data{"flag of 5 in 100", hospital_days(7, 1000), {}, 0, false, false};
  add_flag(data, [](std::size_t i) { return i % 20 == 0; });
  return data;
}

inline DisclosureData heavy_tails() {
  DisclosureData data{"heavy-tailed laboratory values", hospital_days(8, 1000), {}, 0, false, false};
  for (double& value : data.table.columns[1]) value = std::exp(1.2 * value);
  return data;
}

inline std::vector<DisclosureData> disclosure_data() {
  return {pair_of_groups(),  three_groups(),     one_person_flag(), everybody_else(),
          outlier_outcome(), constant_outcome(), common_flag(),     heavy_tails()};
}

// The level rule in the clear. Each level of a 0/1 column has 0 or at least k records. So has each set of records on
// which two such columns agree or differ.
inline bool passes_level_rule(const DisclosureData& data, int k) {
  const auto allowed = [k](long count) { return count == 0 || count >= k; };
  const auto agreements = [&data](std::size_t a, std::size_t b) {
    const auto& left = data.table.columns[a];
    const auto& right = data.table.columns[b];
    long same = 0;
    for (std::size_t i = 0; i < left.size(); ++i) same += left[i] == right[i];
    return same;
  };
  const auto n = static_cast<long>(data.table.outcome.size());
  for (const std::size_t a : data.binary) {
    const auto& column = data.table.columns[a];
    const long ones = std::count(column.begin(), column.end(), 1.0);
    if (!allowed(ones) || !allowed(n - ones)) return false;
    for (const std::size_t b : data.binary) {
      if (b != a && (!allowed(agreements(a, b)) || !allowed(n - agreements(a, b)))) return false;
    }
  }
  return true;
}

// Returns the distance between the target's outcome and the prediction that the attacker computes from the model.
inline double target_error(const DisclosureData& data, double lambda) {
  const PlainFit fit = PlainLasso(data.table).fit(lambda, true);
  double predicted = fit.intercept;
  for (std::size_t j = 0; j < fit.coefficients.size(); ++j) {
    predicted += fit.coefficients[j] * data.table.columns[j][data.target];
  }
  return std::fabs(predicted - data.table.outcome[data.target]);
}

}  // namespace pgmpc::test
