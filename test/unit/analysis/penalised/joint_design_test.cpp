// Tests the rules over the joint design. T, the mean leverage and VIF on shares agree with the clear text. Designs that
// single out records are refused and ordinary ones pass. Without its rule each attack goes through.
#include "disclosure/joint_design.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "support/analysis_harness.h"
#include "support/lasso_vectors.h"
#include "support/penalised_request.h"

namespace pgmpc {
namespace {

using test::EncodedRows;
using test::PlainTable;

using Table = std::vector<std::vector<double>>;

Table identity(std::size_t n) {
  Table out(n, std::vector<double>(n, 0));
  for (std::size_t i = 0; i < n; ++i) out[i][i] = 1;
  return out;
}

Table inverse_of(Table a) {
  const std::size_t n = a.size();
  Table out = identity(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double pivot = a[i][i];
    for (std::size_t j = 0; j < n; ++j) a[i][j] /= pivot, out[i][j] /= pivot;
    for (std::size_t k = 0; k < n; ++k) {
      if (k == i) continue;
      const double factor = a[k][i];
      for (std::size_t j = 0; j < n; ++j) a[k][j] -= factor * a[i][j], out[k][j] -= factor * out[i][j];
    }
  }
  return out;
}

// The figures of a design in the clear, without the columns that do not vary.
struct ClearDesign {
  double largest_trace = 0, mean_leverage = 0, estimate = 0, vif = 0;
  std::size_t stretches = 0, columns = 0;
};

ClearDesign clear_design(const PlainTable& table) {
  const std::size_t n = table.outcome.size();
  Table z;
  for (const auto& column : table.columns) {
    double mean = 0, squares = 0;
    for (const double x : column) mean += x / static_cast<double>(n);
    for (const double x : column) squares += (x - mean) * (x - mean) / static_cast<double>(n);
    if (squares < 1e-18) continue;
    z.emplace_back();
    for (const double x : column) z.back().push_back((x - mean) / std::sqrt(squares));
  }
  ClearDesign out;
  const std::size_t d = out.columns = z.size();
  Table c(d, std::vector<double>(d, 0));
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j)
      for (std::size_t r = 0; r < n; ++r) c[i][j] += z[i][r] * z[j][r] / static_cast<double>(n);
  for (std::size_t i = 0; i < d; ++i) c[i][i] += 1e-9;
  const Table m = inverse_of(c);
  for (std::size_t j = 0; j < d; ++j) out.vif = std::max(out.vif, m[j][j]);
  out.stretches = design_stretches(table.columns.size(), n);
  std::size_t row = 0;
  for (std::size_t g = 0; g < out.stretches; ++g) {
    const std::size_t size = n / out.stretches + (g < n % out.stretches ? 1 : 0);
    double trace = 0;
    for (std::size_t r = row; r < row + size; ++r) {
      double h = 0;
      for (std::size_t i = 0; i < d; ++i)
        for (std::size_t j = 0; j < d; ++j) h += z[i][r] * m[i][j] * z[j][r] / static_cast<double>(n);
      trace += h;
      out.mean_leverage += h * h;
    }
    row += size;
    out.largest_trace = std::max(out.largest_trace, trace);
    out.estimate += std::pow(trace - static_cast<double>(d * size) / static_cast<double>(n), 2);
  }
  out.estimate += static_cast<double>(d * d) / static_cast<double>(n);
  return out;
}

std::string outcome_with(const EncodedRows& rows, const RowRules& rules) {
  const auto outcome = test::attempt_rows(rows, {{1000.0}, true, 400, rules, 7});
  PlannedAnalysis plan{rows.columns.size(), rows.columns[0].size(), {1000.0}, 1, true, 400, rules.max_dominance};
  plan.max_leverage = rules.max_leverage;
  plan.max_vif = rules.max_vif;
  EXPECT_LE(outcome.transcript.exposure, planned_exposure(plan));
  if (outcome.error) return outcome.error->message();
  return "released";
}

RowRules only_design(double max_leverage, double max_vif) {
  RowRules rules;
  rules.min_level_count = 0;
  rules.max_dominance = 1;
  rules.max_leverage = max_leverage;
  rules.max_vif = max_vif;
  return rules;
}

double bell(TestRng& rng) {
  double sum = -6;
  for (int k = 0; k < 12; ++k) sum += static_cast<double>(rng.below(1000001)) / 1e6;
  return sum;
}

PlainTable normal_table(std::uint64_t seed, std::size_t n, std::size_t d) {
  TestRng rng(seed);
  PlainTable table;
  table.columns.resize(d);
  for (std::size_t r = 0; r < n; ++r) {
    for (auto& column : table.columns) column.push_back(bell(rng));
    table.outcome.push_back(bell(rng));
  }
  return table;
}

struct Design {
  const char* name;
  PlainTable table;
};

// Attacks by a column about one person, a pair of groups, columns about few persons, or a tiny shift.
std::vector<Design> attack_designs() {
  std::vector<Design> out;
  const std::size_t n = 1000;
  const auto add = [&](const char* name, std::size_t d,
                       const std::function<double(std::size_t, std::size_t, double)>& x) {
    PlainTable table = normal_table(7, n, d);
    const std::vector<double> base = table.columns[0];
    for (std::size_t j = 0; j < d; ++j)
      for (std::size_t r = 0; r < n; ++r) table.columns[j][r] = x(j, r, base[r]);
    out.push_back({name, std::move(table)});
  };
  add("x, x + 25 at one of ten", 11,
      [](std::size_t j, std::size_t r, double x) { return x + (j > 0 && r == j ? 25 : 0); });
  add("x, x + 25 at one", 2, [](std::size_t j, std::size_t r, double x) { return x + (j == 1 && r == 0 ? 25 : 0); });
  add("x, x + 4 at one", 2, [](std::size_t j, std::size_t r, double x) { return x + (j == 1 && r == 500 ? 4 : 0); });
  add("x, x + 0.05 at one of ten", 11,
      [](std::size_t j, std::size_t r, double x) { return x + (j > 0 && r == j ? 0.05 : 0); });
  add("x, x + 0.001 at one of ten", 11,
      [](std::size_t j, std::size_t r, double x) { return x + (j > 0 && r == j ? 0.001 : 0); });
  add("group of 20, the same less one", 2,
      [](std::size_t j, std::size_t r, double) { return r < 20 && r >= j ? 1.0 : 0; });
  {
    TestRng rng(3);
    add("eight columns on eight persons", 8,
        [&](std::size_t, std::size_t r, double) { return r % 100 == 50 && r < 800 ? (rng.below(2) ? 1.0 : -1.0) : 0; });
    add("twenty columns on a hundred persons", 20, [&](std::size_t, std::size_t r, double) {
      return r % 10 == 3 ? (rng.below(2) ? 1.0 : -1.0) * (1 + 0.2 * static_cast<double>(rng.below(1000)) / 1000) : 0;
    });
  }
  return out;
}

TEST(Design, AttackDesignsAreRefused) {
  for (const Design& design : attack_designs()) {
    SCOPED_TRACE(design.name);
    EXPECT_EQ(outcome_with(test::encode_rows(design.table), only_design(0.4, 200)), kRulesRefused);
    EXPECT_EQ(outcome_with(test::encode_rows(design.table), only_design(1, 0)), "released");
  }
}

TEST(Design, OrdinaryDesignsPass) {
  RowRules rules;
  rules.max_leverage = 0.4;
  rules.max_vif = 200;
  for (const auto& [n, d] :
       std::vector<std::pair<std::size_t, std::size_t>>{{1000, 30}, {300, 29}, {100, 9}, {350, 30}, {120, 1}})
    EXPECT_EQ(outcome_with(test::encode_rows(normal_table(n, n, d)), rules), "released") << n;
  for (const std::string& name : test::lasso_vector_names()) {
    // These have equal columns, a VIF above 200, or more columns than a tenth of the rows.
    if (name == "duplicate" || name == "ar1_99" || name == "wide") continue;
    const test::LassoVector vector = test::load_lasso_vector(name);
    EXPECT_EQ(outcome_with(test::encode_rows(vector.table), rules), "released") << name;
  }
  PlainTable flags = normal_table(5, 1000, 12);
  std::vector<std::size_t> binary;
  TestRng rng(6);
  for (std::size_t j = 0; j < 6; ++j) {
    binary.push_back(j);
    for (double& x : flags.columns[j]) x = rng.below(20) == 0 ? 1 : 0;
  }
  EXPECT_EQ(outcome_with(test::encode_rows(flags, binary), rules), "released");
}

// A column that is constant over the joined rows violates no rule.
TEST(Design, ConstantColumnsPass) {
  PlainTable table = normal_table(9, 400, 4);
  for (double& x : table.columns[2]) x = 3;
  EXPECT_EQ(outcome_with(test::encode_rows(table), only_design(0.4, 200)), "released");
}

TEST(Design, WithoutItsRuleEachAttackGoesThrough) {
  const auto designs = attack_designs();
  const auto attempt = [&](std::size_t which, Mutant mutant) {
    const WithMutant without(mutant);
    return outcome_with(test::encode_rows(designs[which].table), only_design(0.4, 200));
  };
  EXPECT_EQ(attempt(1, Mutant::no_leverage_rule), kRulesRefused) << "one record is also a high mean leverage";
  {
    // Ten columns differ from the first by a thousandth at one person each. The inverse is too coarse for that
    // leverage.
    const WithMutant without(Mutant::no_vif_rule);
    EXPECT_EQ(outcome_with(test::encode_rows(designs[4].table), only_design(0.4, 2)), "released");
  }
  EXPECT_EQ(attempt(7, Mutant::no_mean_leverage_rule), "released");
}

// Each rule alone passes with its limit a little above the clear-text value, and refuses with it a little below.
void expect_thresholds(const PlainTable& table) {
  const EncodedRows rows = test::encode_rows(table);
  const ClearDesign clear = clear_design(table);
  const auto d = static_cast<double>(table.columns.size());
  if (clear.vif < 900 && clear.vif > 2) {
    EXPECT_EQ(outcome_with(rows, only_design(1, clear.vif * 1.05)), "released") << "VIF " << clear.vif;
    EXPECT_EQ(outcome_with(rows, only_design(1, clear.vif * 0.96)), kRulesRefused) << "VIF " << clear.vif;
  }
  const double limit = clear.largest_trace - d / static_cast<double>(clear.stretches) - 0.05;
  if (limit < 0.02 || limit > 0.9 || clear.vif > 190) return;
  const WithMutant alone(Mutant::no_mean_leverage_rule);
  EXPECT_EQ(outcome_with(rows, only_design(limit + 0.01, 200)), "released") << "largest T " << clear.largest_trace;
  EXPECT_EQ(outcome_with(rows, only_design(limit - 0.01, 200)), kRulesRefused) << "largest T " << clear.largest_trace;
}

TEST(Design, TheThresholdsAreThoseOfTheClearText) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    PlainTable table = normal_table(seed, 300, 5);
    for (std::size_t r = 0; r < 300; ++r) table.columns[1][r] = table.columns[0][r] + 0.4 * table.columns[1][r];
    table.columns[2][17] = 9 + static_cast<double>(seed);
    expect_thresholds(table);
    for (std::size_t r = 0; r < 300; ++r) table.columns[4][r] = 0.1 * table.columns[4][r] + table.columns[3][r];
    expect_thresholds(table);
  }
  for (const char* name : {"diabetes", "rotterdam"}) {
    for (const std::string& known : test::lasso_vector_names())
      if (known == name) expect_thresholds(test::load_lasso_vector(name).table);
  }
}

// A design is refused exactly where the clear-text estimate of its mean leverage is above the limit.
TEST(Design, TheMeanLeverageIsThatOfTheClearText) {
  for (const std::size_t persons : {60u, 90u, 120u, 160u, 220u, 300u}) {
    PlainTable table = normal_table(persons, 1000, 10);
    TestRng rng(persons);
    std::vector<bool> chosen(1000, false);
    for (std::size_t left = persons; left > 0;) {
      const std::size_t r = rng.below(1000);
      if (!chosen[r]) chosen[r] = true, --left;
    }
    for (auto& column : table.columns)
      for (std::size_t r = 0; r < 1000; ++r) column[r] = chosen[r] ? (rng.below(2) ? 1.0 : -1.0) : 0;
    const ClearDesign clear = clear_design(table);
    const double limit = 10 * 0.05 + 0.3;
    if (std::fabs(clear.estimate - limit) < 0.01) continue;
    EXPECT_NEAR(clear.estimate, clear.mean_leverage, 0.3) << persons;
    EXPECT_EQ(outcome_with(test::encode_rows(table), only_design(0.999, 0)),
              clear.estimate > limit ? kRulesRefused : "released")
        << persons << " persons: " << clear.estimate << ", exactly " << clear.mean_leverage;
  }
}

// Rule F25: rounds and bytes do not show which rule refused.
TEST(Design, EveryCauseLooksTheSame) {
  std::vector<Design> designs = attack_designs();
  RowRules rules;
  rules.max_leverage = 0.4;
  rules.max_vif = 200;
  const auto seen = [&](const PlainTable& table, std::size_t columns) {
    PlainTable wide = table;
    while (wide.columns.size() < columns) {
      wide.columns.push_back(normal_table(90 + wide.columns.size(), 1000, 1).columns[0]);
    }
    const auto outcome = test::attempt_rows(test::encode_rows(wide), {{0.01}, true, 400, rules, 7});
    EXPECT_TRUE(outcome.error);
    return std::make_pair(outcome.transcript.rounds, outcome.transcript.bytes_sent);
  };
  PlainTable outlier = normal_table(8, 1000, 11);
  outlier.columns[3][4] = 36;
  const auto expected = seen(outlier, 11);
  for (const std::size_t which : {0u, 1u, 3u, 6u}) EXPECT_EQ(seen(designs[which].table, 11), expected) << which;
  const WithMutant each(Mutant::opens_each_violation);
  const auto leverage = seen(designs[1].table, 11);
  EXPECT_NE(seen(outlier, 11), leverage);
  EXPECT_NE(seen(designs[6].table, 11), leverage);
}

// A refused study has opened nothing but the bit of the rules, however early its solver converges. A stop bit is masked
// and compared before, in three rounds; its opening would be a fourth one, as it is with the mutant.
TEST(Design, NothingIsOpenedBeforeTheBit) {
  RowRules rules;
  rules.max_leverage = 0.4;
  rules.max_vif = 200;
  const auto rounds = [&](double alpha) {
    const auto outcome =
        test::attempt_rows(test::encode_rows(attack_designs()[1].table), {{0.5}, true, 400, rules, 7, alpha});
    EXPECT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error ? outcome.error->message() : "", kRulesRefused);
    std::map<Phase, std::int64_t> found;
    for (const Phase phase : {Phase::stop, Phase::validity, Phase::release, Phase::grid})
      if (const auto at = outcome.transcript.phases.find(static_cast<std::uint16_t>(phase));
          at != outcome.transcript.phases.end())
        found[phase] = at->second.rounds;
    return found;
  };
  for (const double alpha : {1.0, 0.0}) {
    const auto correct = rounds(alpha);
    EXPECT_EQ(correct, (std::map<Phase, std::int64_t>{{Phase::stop, 3}})) << alpha;
    const WithMutant hasty(Mutant::rules_not_awaited);
    EXPECT_GT(rounds(alpha)[Phase::stop], 3) << alpha;
  }
}

// Without the design rules, 200 attributes and ten million records fit (dominance_test.cpp). With them, such a study
// has fewer attributes.
TEST(Design, LargeStudiesFitTheExposure) {
  for (const auto& [attributes, rows] :
       std::vector<std::pair<std::size_t, std::size_t>>{{200, 1000000}, {100, 10000000}}) {
    PlannedAnalysis plan{attributes + 1, rows, {1.0}, 1, true, 200, 0.5};
    plan.precision = Precision::statistical;
    plan.max_leverage = 0.4;
    plan.max_vif = 200;
    EXPECT_LE(planned_exposure(plan), kMostExposure) << attributes;
  }
}

TEST(Design, StretchesAreBounded) {
  EXPECT_EQ(design_stretches(30, 5000), 128U);
  EXPECT_EQ(design_stretches(30, 1000000), 128U);
  EXPECT_EQ(design_stretches(60, 5000), 35U);
  EXPECT_EQ(design_stretches(200, 5000), 16U);
  EXPECT_EQ(design_stretches(5, 100), 25U);
  EXPECT_EQ(design_stretches(5, 20), 8U);
  EXPECT_EQ(design_stretches(1, 3), 3U);
}

}  // namespace
}  // namespace pgmpc
