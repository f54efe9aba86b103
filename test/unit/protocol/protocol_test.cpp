// Tests all eight steps between three parties in one process.
#include "protocol/protocol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cmath>
#include <map>

#include "base/mutants.h"
#include "study/explain.h"
#include "study/step_facts.h"
#include "support/lasso_vectors.h"
#include "support/message_of.h"
#include "support/study_harness.h"

namespace pgmpc {
namespace {

using test::Records;
using test::StudyHarness;

constexpr const char* kDiabetesSpec = R"({
  "controllers": {"erasmus_mc": {"attributes": ["age", "sex", "bmi", "bp", "tc"]},
                  "zilveren_kruis": {"attributes": ["ldl", "hdl", "tch", "ltg", "glu"], "outcome": "progression"}},
  "third_party": "zorgttp", "key_bits": 2048, "release": {"precision": "exact"},
  "analysis": {"kind": "lasso", "lambda": 1}})";

constexpr const char* kTinySpec =
    R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": "y"}},
  "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0.1}, "disclosure": {"min_matched": 2}})";

// The diabetes data, split by columns. Each side holds its own random 90 % of the persons, in its own order.
struct Split {
  Records a, b;
  test::PlainTable joined;
};

Split split_diabetes(std::uint64_t seed) {
  const test::PlainTable table = test::read_csv("data/diabetes.csv");
  TestRng rng(seed);
  Split out;
  out.a.names = {"age", "sex", "bmi", "bp", "tc"};
  out.b.names = {"ldl", "hdl", "tch", "ltg", "glu", "progression"};
  out.a.columns.resize(5);
  out.b.columns.resize(6);
  const std::size_t n = table.outcome.size();
  auto order = [&] {
    std::vector<std::size_t> rows(n);
    for (std::size_t i = 0; i < n; ++i) rows[i] = i;
    for (std::size_t i = n; i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
    rows.resize(n * 9 / 10);
    return rows;
  };
  const auto rows_a = order(), rows_b = order();
  for (std::size_t r : rows_a) {
    out.a.identifiers.push_back(std::to_string(100001 + r));
    for (std::size_t j = 0; j < 5; ++j) out.a.columns[j].push_back(table.columns[j][r]);
  }
  for (std::size_t r : rows_b) {
    out.b.identifiers.push_back(std::to_string(100001 + r));
    for (std::size_t j = 0; j < 5; ++j) out.b.columns[j].push_back(table.columns[5 + j][r]);
    out.b.columns[5].push_back(table.outcome[r]);
  }
  out.joined.columns.resize(10);
  for (std::size_t r : rows_a) {
    if (std::find(rows_b.begin(), rows_b.end(), r) == rows_b.end()) continue;
    for (std::size_t j = 0; j < 10; ++j) out.joined.columns[j].push_back(table.columns[j][r]);
    out.joined.outcome.push_back(table.outcome[r]);
  }
  return out;
}

void expect_solution(const test::HarnessResult& result, const test::PlainFit& expected, std::size_t matched) {
  ASSERT_EQ(result.coefficients.size(), expected.coefficients.size() + 1);
  double error = 0, largest = 0;
  for (std::size_t j = 0; j < expected.coefficients.size(); ++j) {
    error = std::max(error, std::fabs(result.coefficients[j].value - static_cast<double>(expected.coefficients[j])));
    largest = std::max(largest, std::fabs(static_cast<double>(expected.coefficients[j])));
    EXPECT_EQ(result.coefficients[j].selected, expected.coefficients[j] != 0) << result.coefficients[j].attribute;
  }
  EXPECT_LE(error / largest, 1e-6);
  EXPECT_EQ(result.coefficients.back().attribute, "(intercept)");
  EXPECT_NEAR(result.coefficients.back().value, static_cast<double>(expected.intercept), 1e-4);
  EXPECT_EQ(result.matched, static_cast<std::int64_t>(matched));
  EXPECT_NEAR(result.fits.at(0).r_squared, static_cast<double>(expected.r_squared), 1e-6);
}

TEST(Study, DiabetesEndToEnd) {
  const Split split = split_diabetes(1);
  StudyHarness h(kDiabetesSpec, split.a, split.b);
  h.run();
  const test::PlainFit expected = test::PlainLasso(split.joined).fit(1.0, true);
  for (int party = 0; party < kParties; ++party) {
    SCOPED_TRACE(party);
    expect_solution(h.results[party], expected, split.joined.outcome.size());
    EXPECT_EQ(h.observers[party].match_count, static_cast<std::int64_t>(split.joined.outcome.size()));
  }
  // The rounds that the observer counts, and the traffic by phase, agree with the result.
  for (int party = 0; party < kParties; ++party) {
    SCOPED_TRACE(party);
    const test::Recorder& observer = h.observers[party];
    EXPECT_TRUE(observer.rounds_in_order);
    EXPECT_EQ(observer.rounds, h.results[party].rounds);
    EXPECT_GT(observer.rounds_estimated, observer.rounds / 3);
    EXPECT_LT(observer.rounds_estimated, observer.rounds * 3);
    std::map<std::string, TrafficRow> traffic;
    std::int64_t bytes = 0;
    for (const TrafficRow& row : h.results[party].traffic) {
      EXPECT_GE(row.rounds, 1) << row.phase;
      EXPECT_LE(row.rounds, observer.rounds) << row.phase;
      EXPECT_GE(row.bytes_sent, 16 * row.elements) << row.phase;
      bytes += row.bytes_sent;
      traffic[row.phase] = row;
    }
    EXPECT_LE(bytes, h.results[party].bytes_sent);
    // The third party computes its shares of the inputs from the pairwise keys, so it sends nothing in step 7.
    const auto inputs = static_cast<std::int64_t>(11 * (split.joined.outcome.size() + 3));
    EXPECT_EQ(traffic.at("input").elements, party == kThirdParty ? 0 : inputs);
  }
  // Every step of each role is reported once, in order, with what it destroyed.
  for (int party = 0; party < kParties; ++party) {
    std::vector<std::pair<int, std::string>> seen;
    std::map<std::string, std::vector<std::string>> destroyed;
    for (const StepRow& row : h.observers[party].rows) {
      destroyed[row.name] = row.destroyed;
      if (row.name != "keygen") seen.emplace_back(row.step, row.name);
    }
    EXPECT_EQ(seen, steps_of(party == kThirdParty, kPenalisedStep));
    const std::string key_step = party == kThirdParty ? "match" : "agree_key";
    EXPECT_EQ(destroyed[key_step].at(0), party == kThirdParty ? "hashed identifiers" : "joint key");
    // Each step destroyed what explain() had said, in the same words.
    const Spec spec = parse_spec(kDiabetesSpec);
    for (const ExplainRow& said : explain(spec, party))
      if (said.step > 0 && said.party == spec.party_name(party)) {
        EXPECT_EQ(said.destroyed, destroyed[said.name]) << said.name;
      }
  }
}

// mpc.propose_study refuses such a spec. The engine refuses it as well.
TEST(Study, KeepsNoShares) {
  const Split split = split_diabetes(1);
  std::string spec = kDiabetesSpec;
  spec.insert(spec.rfind('}'), R"(, "keep_shares": true)");
  StudyHarness h(spec, split.a, split.b);
  EXPECT_EQ(test::message_of([&] { h.run(); }), "keep_shares true is not supported");
}

Records tiny(const std::string& column, int records, const std::string& prefix = "p") {
  Records r{{column}, {}, {{}}, {}};
  for (int i = 0; i < records; ++i) {
    r.identifiers.push_back(prefix + std::to_string(i));
    r.columns[0].push_back(std::sin(i * 1.7) * 3 + i % 7);
  }
  return r;
}

// With the default precision every number is a multiple of its grid, within half a step of the exact number. A
// coefficient that rounds to zero is not selected.
TEST(Study, StatisticalPrecisionEndToEnd) {
  const Split split = split_diabetes(3);
  std::string spec = kDiabetesSpec;
  const std::string exact = R"("exact")";
  spec.replace(spec.find(exact), exact.size(), R"("statistical")");
  StudyHarness h(spec, split.a, split.b);
  h.run();
  const test::PlainFit expected = test::PlainLasso(split.joined).fit(1.0, true);
  const auto rows = static_cast<double>(split.joined.outcome.size());
  const auto deviation = [&](const std::vector<double>& column) {
    double mean = 0, squares = 0;
    for (const double x : column) mean += x / rows;
    for (const double x : column) squares += (x - mean) * (x - mean) / rows;
    return std::sqrt(squares);
  };
  const double spread = deviation(split.joined.outcome) * std::sqrt(std::max(1 - expected.r_squared, 0.5) / rows);
  const test::HarnessResult& result = h.results[2];
  for (std::size_t j = 0; j < 10; ++j) {
    const double error = spread / deviation(split.joined.columns[j]),
                 grid = std::exp2(std::floor(std::log2(error / 8)));
    const test::CoefficientRow& row = result.coefficients[j];
    EXPECT_EQ(row.value / grid, std::round(row.value / grid)) << row.attribute;
    EXPECT_LE(std::fabs(row.value - expected.coefficients[j]), grid * 0.501) << row.attribute;
    EXPECT_EQ(row.selected, row.value != 0) << row.attribute;
  }
  EXPECT_LE(std::fabs(result.coefficients[10].value - expected.intercept), spread / 16);
  EXPECT_LE(std::fabs(result.fits.at(0).r_squared - expected.r_squared), 1 / std::sqrt(rows) / 16);
}

// The owner chooses the SQL type of a column. A flag of one person is refused as a number, too.
TEST(Study, AFlagInAnyCodingIsRefusedLikeABoolean) {
  for (const double code : {1.0, 7.0}) {
    Records a{{"x"}, {}, {{}}, {}}, b{{"y"}, {}, {{}}, {}};
    for (int i = 0; i < 150; ++i) {
      for (Records* side : {&a, &b}) side->identifiers.push_back("p" + std::to_string(i));
      a.columns[0].push_back(i == 3 ? code : -2);
      b.columns[0].push_back(std::sin(i * 1.7) * 3 + i % 7);
    }
    StudyHarness h(R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": "y"}},
      "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0.01},
      "disclosure": {"max_dominance": 1, "max_leverage": 1}})",
                   a, b);
    EXPECT_EQ(test::message_of([&] { h.run(); }), "a disclosure rule of the agreed spec refused the study");
  }
}

// A stored spec of format 1 can be read, but not run.
TEST(Study, FormatOneIsNotStarted) {
  const Spec spec = read_spec(R"({"controllers": {"a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": "y"}},
    "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0.01}})");
  StudyHarness h(spec, tiny("x", 120), tiny("y", 120));
  EXPECT_EQ(test::message_of([&] { h.run(); }), "the spec of the study has an old format");
}

// The kind in the spec reaches the solver. Ridge selects every column.
TEST(Study, ElasticNetAndRidgeEndToEnd) {
  const Split split = split_diabetes(2);
  std::string spec = kDiabetesSpec;
  const std::string lasso = R"({"kind": "lasso", "lambda": 1})";
  const auto with = [&](const std::string& analysis) {
    return std::string(spec).replace(spec.find(lasso), lasso.size(), analysis);
  };
  StudyHarness net(with(R"({"kind": "elastic_net", "lambda": 4, "alpha": 0.75})").c_str(), split.a, split.b);
  net.run();
  expect_solution(net.results[0], test::PlainLasso(split.joined).fit(4.0, true, 0.75), split.joined.outcome.size());
  StudyHarness ridge(with(R"({"kind": "ridge", "lambda": 0.1})").c_str(), split.a, split.b);
  ridge.run();
  expect_solution(ridge.results[1], test::PlainLasso(split.joined).fit(0.1, true, 0), split.joined.outcome.size());
  EXPECT_EQ(ridge.results[1].fits.at(0).nonzero, 10);
}

// A party that knows other commitments to the data has no keys in common with the others (docs/protocol.md).
TEST(Study, OtherCommitmentsEndAtTheHandshake) {
  for (int other = 0; other < kParties; ++other) {
    StudyHarness h(kTinySpec, tiny("x", 60), tiny("y", 60), true);
    h.commitments = {"known", "known", "known"};
    h.commitments[static_cast<std::size_t>(other)] = "others";
    EXPECT_EQ(test::message_of([&] { h.run(); }), "a peer runs a study with another digest") << other;
    for (const RecordedMessage& m : h.network().recording()) EXPECT_LT(m.step, 2) << other;
    StudyHarness same(kTinySpec, tiny("x", 60), tiny("y", 60));
    same.commitments = {"known", "known", "known"};
    EXPECT_EQ(test::message_of([&] { same.run(); }), "no error");
  }
}

// When the last row lists "keys of the attempt", the locked memory of the three parties holds no key.
TEST(Study, TheLastRowIsWrittenAfterTheKeysAreGone) {
  const Split split = split_diabetes(1);
  StudyHarness h(kDiabetesSpec, split.a, split.b);
  std::barrier all(kParties);
  std::atomic<int> empty{0}, full{0};
  for (int party = 0; party < kParties; ++party)
    h.observers[party].on_step = [&](const StepRow& row) {
      if (row.step < 7) return;
      all.arrive_and_wait();
      (process_arena().holds_nothing() ? empty : full) += row.step;
      all.arrive_and_wait();
    };
  h.run();
  EXPECT_EQ(empty, 3 * 8) << "after step 8";
  EXPECT_EQ(full, 3 * 7) << "after step 7: otherwise this test cannot fail";
}

// When one party cannot store the result, nobody gets it. With the mutant the party says so too late.
TEST(Study, NothingIsOpenedBeforeAllCanStoreIt) {
  const Split split = split_diabetes(1);
  for (const Mutant mutation : {Mutant::none, Mutant::promises_late})
    for (int full = 0; full < kParties; ++full) {
      active_mutant = mutation;
      StudyHarness h(kDiabetesSpec, split.a, split.b);
      std::atomic<int> done{0};
      for (int party = 0; party < kParties; ++party)
        h.observers[party].on_step = [&](const StepRow& row) {
          if (row.step < 8) return;
          ++done;
          done.notify_all();
        };
      h.observers[full].on_release = [&] {
        for (int now = done; mutation != Mutant::none && now < kParties - 1; now = done) done.wait(now);
        throw Error(ErrorCode::limit_exceeded, "no space left on device");
      };
      EXPECT_THROW(h.run(), Error);
      active_mutant = Mutant::none;
      ASSERT_TRUE(h.failures[full]);
      EXPECT_EQ(h.failures[full]->code(), ErrorCode::limit_exceeded);
      for (int party = 0; party < kParties; ++party) {
        if (party == full) continue;
        EXPECT_EQ(h.results[party].coefficients.empty(), mutation == Mutant::none) << party << " of " << full;
      }
    }
}

TEST(Study, LocalDataErrorsNameTheColumnAndNothingIsSent) {
  struct Case {
    const char* what;
    void (*spoil)(Records&);
    ErrorCode code;
  } cases[] = {
      {"NaN", [](Records& r) { r.columns[0][3] = std::nan(""); }, ErrorCode::data_exception},
      {"infinity", [](Records& r) { r.columns[0][3] = HUGE_VAL; }, ErrorCode::data_exception},
      {"duplicate", [](Records& r) { r.identifiers[3] = r.identifiers[4]; }, ErrorCode::data_exception},
      {"mean too large",
       [](Records& r) {
         for (double& x : r.columns[0]) x += 1e9;
       },
       ErrorCode::out_of_range},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    Records a = tiny("x", 60), b = tiny("y", 60);
    c.spoil(a);
    StudyHarness h(kTinySpec, a, b, true);
    EXPECT_THROW(h.run(), Error);
    EXPECT_EQ(h.failures[0]->code(), c.code);
    EXPECT_EQ(h.failures[1]->code(), ErrorCode::peer_stopped);
    EXPECT_EQ(h.failures[2]->code(), ErrorCode::peer_stopped);
    for (const RecordedMessage& m : h.network().recording()) EXPECT_NE(m.from, 0);
  }
}

TEST(Study, MoreRecordsThanTheMemoryAllowsAreRefusedBeforeAnythingIsSent) {
  StudyHarness h(kTinySpec, tiny("x", 300), tiny("y", 60), true);
  h.memory_limit = 100000;
  EXPECT_THROW(h.run(), Error);
  EXPECT_EQ(h.failures[0]->code(), ErrorCode::limit_exceeded);
  for (const RecordedMessage& m : h.network().recording()) EXPECT_NE(m.from, 0);
}

// The rules for levels would not see a column of a level that its owner calls a number.
TEST(Study, AColumnOfALevelIsTwoValued) {
  for (const bool honest : {true, false}) {
    Records a = tiny("x", 200), b = tiny("y", 200);
    for (const char* name : {"stage:II", "stage:III", "stage:I"}) {
      const std::size_t level = a.columns.size();
      a.names.emplace_back(name);
      a.binary.push_back(level);
      a.columns.emplace_back();
      for (std::size_t i = 0; i < 200; ++i) a.columns.back().push_back(i % 3 == level - 1 ? 1 : 0);
    }
    if (!honest) {
      a.binary.clear();
      a.columns[2][0] = 0.5;
    }
    StudyHarness h(R"({"controllers": {"a": {"attributes": ["x", {"name": "stage", "levels": ["I", "II", "III"]}]},
      "b": {"attributes": [], "outcome": "y"}}, "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0.01}})",
                   a, b);
    if (honest) {
      h.run();
      EXPECT_EQ(h.results[2].coefficients.size(), 4U);
      EXPECT_EQ(h.results[2].coefficients[1].attribute, "stage:II");
      continue;
    }
    EXPECT_THROW(h.run(), Error);
    // Whichever peer notices first ends the attempt for the others.
    EXPECT_EQ(h.failures[0]->code(), ErrorCode::peer_stopped);
    int named = 0;
    for (const int peer : {1, 2}) {
      const Error& error = *h.failures[peer];
      if (error.code() == ErrorCode::peer_stopped) continue;
      EXPECT_EQ(error.code(), ErrorCode::protocol_violation);
      EXPECT_NE(error.detail().find("stage:III"), std::string::npos);
      ++named;
    }
    EXPECT_GT(named, 0);
  }
}

TEST(Study, AColumnThatIsConstantAfterTheJoinGetsZero) {
  Records a = tiny("x", 200), b = tiny("y", 100);
  a.names.push_back("flag");
  a.columns.emplace_back();
  for (int i = 0; i < 200; ++i)
    a.columns[1].push_back(i < 100 ? 5 : 5 + i % 3);  // varies only in records that do not join
  StudyHarness h(R"({"controllers": {"a": {"attributes": ["x", "flag"]}, "b": {"attributes": [], "outcome": "y"}},
    "third_party": "t", "key_bits": 2048, "analysis": {"lambda": 0.01}})",
                 a, b);
  h.run();
  EXPECT_EQ(h.results[0].coefficients[1].attribute, "flag");
  EXPECT_EQ(h.results[0].coefficients[1].value, 0);
  EXPECT_FALSE(h.results[0].coefficients[1].selected);
}

// Non-interference (rules F5, F6): what A's node shows and receives before the match count does not depend on B's size
// or on which records match.
TEST(Study, BeforeTheMatchCountNothingAtADependsOnB) {
  auto view = [](int b_records, const std::string& prefix) {
    StudyHarness h(kTinySpec, tiny("x", 80), tiny("y", b_records, prefix), true);
    try {
      h.run();
    } catch (const Error&) {
    }
    std::vector<std::tuple<int, int, std::size_t>> seen;
    for (const RecordedMessage& m : h.network().view_of_party(0)) {
      seen.emplace_back(m.from, m.step, m.bytes.size());
      if (m.from == kThirdParty && m.step == 4) break;
    }
    std::sort(seen.begin(), seen.end());
    std::vector<std::tuple<std::string, std::int64_t, std::int64_t>> rows;
    for (const StepRow& row : h.observers[0].rows)
      if (row.step <= 3) rows.emplace_back(row.name, row.records.value_or(-1), row.bytes.value_or(-1));
    return std::make_pair(seen, rows);
  };
  const auto base = view(80, "p");
  EXPECT_FALSE(base.first.empty());
  EXPECT_EQ(base, view(30, "p"));
  EXPECT_EQ(base, view(300, "p"));
  EXPECT_EQ(base, view(80, "q"));
}

// Rule F2: two attempts of one study have no 16-byte block of their messages in common.
TEST(Study, ARetryRepeatsNoByteOfTheFirstAttempt) {
  auto blocks = [](std::uint64_t seed) {
    StudyHarness h(kTinySpec, tiny("x", 60), tiny("y", 60), true, seed);
    h.run();
    std::vector<std::array<std::uint8_t, 16>> out;
    for (const RecordedMessage& m : h.network().recording()) {
      if (m.step == 0) continue;  // version and digest are public and equal
      for (std::size_t at = 0; at + 16 <= m.bytes.size(); at += 16) {
        out.emplace_back();
        std::copy_n(m.bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, out.back().begin());
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  const auto first = blocks(1), second = blocks(2);
  std::vector<std::array<std::uint8_t, 16>> common;
  std::set_intersection(first.begin(), first.end(), second.begin(), second.end(), std::back_inserter(common));
  EXPECT_TRUE(common.empty());
  EXPECT_GT(first.size(), 1000u);
}

}  // namespace
}  // namespace pgmpc
