// Tests explain(): every step of every party has a row, sizes follow from the packing, and no row depends on other
// parties.
#include "study/explain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "study/pace.h"

namespace pgmpc {
namespace {

// Controller a has columns_a attributes; controller b has columns_b and the outcome.
Spec spec_of(int columns_a, int columns_b, const std::string& more = "") {
  const auto names = [](int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += (i ? ",\"x" : "\"x") + std::to_string(i) + "\"";
    return text;
  };
  return parse_spec(R"({"controllers":{"a":{"attributes":[)" + names(columns_a) + R"(]},"b":{"attributes":[)" +
                    names(columns_b) + R"(],"outcome":"y"}},"third_party":"t","analysis":{"lambda":0.1})" + more + "}");
}

std::vector<ExplainRow> rows_of(const std::vector<ExplainRow>& rows, const std::string& name,
                                const std::string& party) {
  std::vector<ExplainRow> found;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(found),
               [&](const ExplainRow& row) { return row.name == name && row.party == party; });
  return found;
}

ExplainRow row_of(const std::vector<ExplainRow>& rows, const std::string& name, const std::string& party) {
  const auto found = rows_of(rows, name, party);
  EXPECT_EQ(found.size(), 1U) << name << " of " << party;
  return found.empty() ? ExplainRow{} : found.front();
}

bool destroys(const ExplainRow& row, const std::string& what) {
  return std::find(row.destroyed.begin(), row.destroyed.end(), what) != row.destroyed.end();
}

std::string statement(const std::vector<ExplainRow>& rows, const std::string& subject) {
  return row_of(rows, subject, "").learns;
}

TEST(Explain, HasEveryStepOfEveryParty) {
  const auto rows = explain(spec_of(3, 2), 0);
  for (const char* party : {"a", "b"}) {
    for (const char* step : {"prepare", "agree_key", "scramble", "push", "mask", "unmask", "share", "lasso"}) {
      row_of(rows, step, party);
    }
  }
  for (const char* step : {"match", "share", "lasso"}) row_of(rows, step, "t");
  EXPECT_EQ(rows_of(rows, "unmask", "t").size(), 2U);
  std::set<int> steps;
  for (const ExplainRow& row : rows) steps.insert(row.step);
  EXPECT_EQ(steps, (std::set<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST(Explain, NamesThePenalty) {
  const auto penalty = [](const std::string& analysis) {
    const Spec spec = parse_spec(
        R"({"controllers":{"a":{"attributes":["x"]},"b":{"attributes":["z"],"outcome":"y"}},"third_party":"t","analysis":)" +
        analysis + R"(,"release":{"precision":"exact"}})");
    return statement(explain(spec, 0), "penalty");
  };
  EXPECT_EQ(penalty(R"({"lambda":0.1})"),
            "lasso: least squares + 0.1 * sum of the absolute coefficients times the deviation of their column");
  EXPECT_EQ(penalty(R"({"kind":"ridge","lambda":2,"standardize":false})"),
            "ridge: least squares + 2 / 2 * sum of the squared coefficients");
  EXPECT_EQ(penalty(R"({"kind":"elastic_net","lambda":[1,2],"alpha":0.5,"standardize":false})"),
            "elastic_net: least squares + each of 2 lambdas * 0.5 * sum of the absolute coefficients + each of 2 "
            "lambdas * (1 - 0.5) / 2 "
            "* sum of the squared coefficients");
}

TEST(Explain, CompactComparisonsTakeMoreRoundsAndFewerBytes) {
  const auto lasso_row = [](const std::string& comparison) {
    const Spec spec = parse_spec(
        R"({"controllers":{"a":{"attributes":["x","u","v"]},"b":{"attributes":["z"],"outcome":"y"}},"third_party":"t",)"
        R"("analysis":{"lambda":0.1,"comparison":")" +
        comparison + "\"}}");
    for (ExplainRow& row : explain(spec, 0))
      if (row.name == "lasso") return row;
    throw std::runtime_error("no row for the lasso");
  };
  const ExplainRow fast = lasso_row("fast"), compact = lasso_row("compact");
  EXPECT_GT(compact.rounds.value(), fast.rounds.value());
  EXPECT_LT(compact.bytes.value(), fast.bytes.value() / 2);
  EXPECT_EQ(fast.sends, "shares of masked values and keys for comparisons");
  EXPECT_EQ(compact.sends, "shares of masked values and truth tables for comparisons");
}

TEST(Explain, DataStatusFollowsTheProtocol) {
  for (const ExplainRow& row : explain(spec_of(3, 2), -1)) {
    const char* expected = row.step == 0   ? ""
                           : row.step == 1 ? "personal"
                           : row.step <= 3 ? "pseudonymised"
                           : row.step <= 7 ? "anonymous"
                                           : "aggregate";
    EXPECT_EQ(row.data_status, expected) << row.name;
  }
}

TEST(Explain, SaysWhatIsDestroyedWhere) {
  const auto rows = explain(spec_of(3, 2), 1);
  EXPECT_TRUE(destroys(row_of(rows, "agree_key", "a"), "joint key"));
  EXPECT_TRUE(destroys(row_of(rows, "match", "t"), "hashed identifiers"));
  EXPECT_TRUE(destroys(row_of(rows, "match", "t"), "ciphertexts of unmatched records"));
  EXPECT_TRUE(destroys(row_of(rows, "unmask", "b"), "Paillier private key"));
  EXPECT_TRUE(destroys(rows_of(rows, "unmask", "t")[0], "ciphertexts of matched records"));
  EXPECT_TRUE(destroys(row_of(rows, "share", "b"), "random shares"));
  EXPECT_TRUE(destroys(row_of(rows, "lasso", "t"), "Shamir shares"));
  EXPECT_FALSE(destroys(row_of(explain(spec_of(3, 2, R"(,"keep_shares":true)"), 1), "lasso", "t"), "Shamir shares"));
}

TEST(Explain, NumbersNeedExpectedRecords) {
  const Spec spec = spec_of(3, 2);
  for (const ExplainRow& row : explain(spec, 0)) EXPECT_FALSE(row.records.has_value()) << row.name;
  for (const char* step : {"push", "mask", "share"}) {
    EXPECT_FALSE(row_of(explain(spec, 0), step, "a").bytes.has_value()) << step;
  }
}

TEST(Explain, SizesFollowThePacking) {
  const auto rows = explain(spec_of(15, 15, R"(,"expected_records":5000)"), 0);
  EXPECT_EQ(row_of(rows, "push", "a").records, 5000);
  EXPECT_EQ(row_of(rows, "push", "a").bytes, 5000 * (32 + 768));
  EXPECT_EQ(row_of(rows, "mask", "b").bytes, 5000 * 768);
  EXPECT_EQ(row_of(rows, "share", "a").bytes, 5000 * 31 * 16);
  EXPECT_EQ(row_of(rows, "share", "t").bytes, 0);
}

// 25 columns fill a ciphertext of 3072 bits. A controller encrypts masks for the other one's columns.
TEST(Explain, OneColumnMoreIsOneCiphertextMore) {
  const std::pair<int, int> slots[] = {{2048, 16}, {3072, 25}, {4096, 33}};
  for (const auto& [bits, columns] : slots) {
    const std::string more = ",\"key_bits\":" + std::to_string(bits);
    EXPECT_EQ(ciphertexts_per_record(spec_of(columns, 1, more), 0), 1) << bits;
    EXPECT_EQ(ciphertexts_per_record(spec_of(columns + 1, 1, more), 0), 2) << bits;
    EXPECT_EQ(ciphertexts_per_record(spec_of(1, columns, more), 1), 2) << "the outcome is a column too";
  }
  const auto full = explain(spec_of(25, 24, R"(,"expected_records":10)"), 0);
  const auto more = explain(spec_of(26, 24, R"(,"expected_records":10)"), 0);
  EXPECT_EQ(row_of(full, "push", "a").bytes, 10 * (32 + 768));
  EXPECT_EQ(row_of(more, "push", "a").bytes, 10 * (32 + 2 * 768));
  EXPECT_EQ(row_of(more, "push", "b").bytes, 10 * (32 + 768));
  EXPECT_EQ(row_of(more, "mask", "a").bytes, 10 * 768);
  EXPECT_EQ(row_of(more, "mask", "b").bytes, 10 * 2 * 768);
}

// Returns everything in a row that its reader sees.
std::string all_of(const ExplainRow& row) {
  return std::to_string(row.step) + row.name + "|" + row.party + "|" + row.peer + "|" + row.sends + "|" + row.learns +
         "|" + std::to_string(row.records.value_or(-1)) + "|" + std::to_string(row.bytes.value_or(-1)) + "|" +
         std::to_string(row.rounds.value_or(-1)) + "|" + std::to_string(row.seconds.value_or(-1)) + row.data_status;
}

// Rule F5: the rows are the same for everybody. Only their order differs: the reader's own come first.
TEST(Explain, EveryPartyReadsTheSameRows) {
  const Spec spec = spec_of(4, 3, R"(,"expected_records":1000)");
  std::multiset<std::string> reference;
  for (const ExplainRow& row : explain(spec, -1)) reference.insert(all_of(row));
  for (int party = 0; party < 3; ++party) {
    std::multiset<std::string> rows;
    for (const ExplainRow& row : explain(spec, party)) rows.insert(all_of(row));
    EXPECT_EQ(rows, reference);
  }
  const auto own = explain(spec, 1);
  const auto first = std::find_if(own.begin(), own.end(), [](const ExplainRow& row) { return row.step == 1; });
  ASSERT_NE(first, own.end());
  EXPECT_EQ(first->party, "b");
}

TEST(Explain, OwnRecordsAreTheBasisOfOwnRows) {
  const auto rows = explain(spec_of(15, 15), 0, 400);
  for (const char* step : {"prepare", "scramble", "push", "mask", "unmask", "share", "lasso"}) {
    EXPECT_EQ(row_of(rows, step, "a").records, 400) << step;
    EXPECT_TRUE(row_of(rows, step, "a").seconds.has_value() || std::string(step) == "push") << step;
  }
  EXPECT_EQ(row_of(rows, "push", "a").bytes, 400 * (32 + 768));
  EXPECT_EQ(row_of(rows, "mask", "a").bytes, 400 * 768);
  EXPECT_NE(statement(rows, "estimates: own records").find("400 complete records up to step 4"), std::string::npos);
  EXPECT_NE(statement(rows, "estimates: agreed").find("no expected_records"), std::string::npos);
  EXPECT_GT(row_of(explain(spec_of(15, 15), 0, 800), "scramble", "a").seconds, row_of(rows, "scramble", "a").seconds);
}

// Nothing leaves a node between the times of pace.h, so the estimates contain the waits for them.
TEST(Explain, KnowsTheWaitsBeforeTheMatchCount) {
  const auto rows = explain(spec_of(15, 15, R"(,"expected_records":5000)"), 0);
  const double agreed = std::chrono::duration<double>(announcement_delay({}, 5000, 3072)).count();
  EXPECT_EQ(row_of(rows, "match", "t").seconds, agreed);
  EXPECT_EQ(row_of(rows, "push", "a").seconds, agreed);
  const double begins = *row_of(rows, "prepare", "b").seconds + *row_of(rows, "agree_key", "b").seconds;
  EXPECT_NEAR(begins, std::chrono::duration<double>(kSmallestStart).count(), 1e-6);
  EXPECT_NE(statement(rows, "public: times").find("the match count is announced 5 s after the first push"),
            std::string::npos);
  const auto unknown = explain(spec_of(15, 15), 0);
  EXPECT_FALSE(row_of(unknown, "match", "t").seconds);
  EXPECT_EQ(statement(unknown, "public: times").find("the match count is announced"), std::string::npos);
}

// The third party multiplies randomness of its own into every sum, at the cost of a mask (rule B8).
TEST(Explain, KnowsTheRandomnessOfTheThirdParty) {
  const auto rows = explain(spec_of(26, 15, R"(,"expected_records":5000)"), 0);
  for (const ExplainRow& row : rows_of(rows, "unmask", "t")) {
    const ExplainRow mask = row_of(rows, "mask", row.peer == "a" ? "b" : "a");
    EXPECT_NEAR(*row.seconds, *mask.seconds, 0.01 * *mask.seconds) << row.peer;
    EXPECT_NE(row.sends.find("fresh randomness"), std::string::npos);
  }
}

// The pushed records are those of the source. The matched ones are at most that many, and at most expected_records.
TEST(Explain, OwnRecordsBoundWhatMatches) {
  for (const auto& [own, matched] : {std::pair<int, int>{8000, 5000}, {3000, 3000}}) {
    const auto rows = explain(spec_of(15, 15, R"(,"expected_records":5000)"), 1, own);
    EXPECT_EQ(row_of(rows, "push", "b").records, own);
    EXPECT_EQ(row_of(rows, "push", "b").bytes, own * (32 + 768));
    EXPECT_EQ(row_of(rows, "mask", "b").records, matched);
    EXPECT_EQ(row_of(rows, "share", "b").bytes, matched * 31 * 16);
    EXPECT_NE(statement(rows, "estimates: agreed").find("of the spec, 5000"), std::string::npos);
    EXPECT_NE(statement(rows, "estimates: own records").find("at most " + std::to_string(matched)), std::string::npos);
  }
}

// Rule F5: own records do not change the rows of other parties.
TEST(Explain, OwnRecordsChangeNoRowOfOthers) {
  for (const char* more : {"", R"(,"expected_records":5000)"}) {
    const Spec spec = spec_of(4, 3, more);
    const auto of_others = [](const std::vector<ExplainRow>& rows, const std::string& own) {
      std::vector<std::string> found;
      for (const ExplainRow& row : rows)
        if (row.party != own && row.name != "estimates: own records") found.push_back(all_of(row));
      return found;
    };
    EXPECT_EQ(of_others(explain(spec, 0, 777), "a"), of_others(explain(spec, 0), "a"));
    EXPECT_EQ(of_others(explain(spec, 1, 777), "b"), of_others(explain(spec, 1), "b"));
    // Neither the third party nor a reader that takes no part has own records.
    for (int party : {2, -1}) EXPECT_EQ(of_others(explain(spec, party, 777), ""), of_others(explain(spec, party), ""));
  }
}

// test/unit/analysis tests that the planned exposure bounds that of a run.
TEST(Explain, ExposureGrowsWithTheStudy) {
  const double small = planned_exposure_log2(spec_of(15, 15));
  EXPECT_GT(small, -31);
  EXPECT_LT(small, -24);
  EXPECT_GT(planned_exposure_log2(spec_of(25, 25)), small);
  const auto without_rules = [](int columns) {
    return planned_exposure_log2(spec_of(columns, columns, R"(,"disclosure":{"max_leverage":1,"max_vif":null})"));
  };
  EXPECT_LT(without_rules(30), without_rules(15) + 0.1) << "more than 60 columns: a bit less precision";
  EXPECT_GT(planned_exposure_log2(parse_spec(R"({"controllers":{"a":{"attributes":["u"]},"b":{"attributes":[],
    "outcome":"y"}},"third_party":"t","analysis":{"lambda":[1,2,3]}})")),
            planned_exposure_log2(spec_of(1, 0)));
}

TEST(Explain, SaysTheExposureAsPowersOfTwo) {
  const Spec spec = spec_of(1, 0, R"(,"expected_records":512)");
  const auto rows = explain(spec, 0);
  char rounded_up[32];
  std::snprintf(rounded_up, sizeof rounded_up, "2^%.1f ", std::ceil(planned_exposure_log2(spec) * 10) / 10);
  EXPECT_NE(statement(rows, "statistical distance").find(rounded_up), std::string::npos);
  EXPECT_NE(statement(rows, "statistical distance of the join").find("2^-70.0 "), std::string::npos);
}

TEST(Explain, StatesTrustAndRules) {
  const auto rows = explain(spec_of(20, 10), 2);
  EXPECT_NE(statement(rows, "trust").find("any two of the three together can open everything"), std::string::npos);
  EXPECT_NE(statement(rows, "rule: min_matched").find("below 310 matched"), std::string::npos);
  EXPECT_NE(statement(rows, "rule: min_level_count").find("fewer than 10"), std::string::npos);
  EXPECT_NE(statement(rows, "rule: max_dominance").find("0.5"), std::string::npos);
  EXPECT_NE(statement(rows, "rule: min_lambda").find("off"), std::string::npos);
  const auto strict = explain(spec_of(2, 1, R"(,"disclosure":{"min_lambda":0.05,"min_level_count":0})"), 2);
  EXPECT_NE(statement(strict, "rule: min_lambda").find("no fit below lambda 0.05"), std::string::npos);
  EXPECT_NE(statement(strict, "rule: min_level_count").find("off"), std::string::npos);
}

TEST(Explain, ResultGoesToTheRecipientsOnly) {
  const auto rows = explain(spec_of(2, 1, R"(,"recipients":["t","a"])"), 0);
  EXPECT_EQ(statement(rows, "public: result").rfind("a, t learn the coefficients", 0), 0U);
}

TEST(Explain, FixedScaleExponentsHideTheOrderOfMagnitude) {
  const auto fixed = explain(spec_of(1, 0, R"(,"scale_exponents":{"a":{"x0":3},"b":{"y":0}})"), 0);
  EXPECT_TRUE(rows_of(fixed, "public: order of magnitude", "").empty());
  const auto one = explain(spec_of(1, 0, R"(,"scale_exponents":{"a":{"x0":3}})"), 0);
  EXPECT_NE(statement(one, "public: order of magnitude").find("1 of 2 columns"), std::string::npos);
}

}  // namespace
}  // namespace pgmpc
