// Which results of a peer are taken as those of a study.
#include "study/result_check.h"

#include <gtest/gtest.h>

namespace pgmpc {
namespace {

using nlohmann::json;

const char* const kSpec = R"({"third_party": "t", "release": {"precision": "exact"}, "controllers": {
  "a": {"attributes": ["x"]}, "b": {"attributes": [], "outcome": ["y", "z"]}},
  "analyses": {"one": {"lambda": [1, 2], "outcome": "y"}, "two": {"kind": "ridge", "lambda": 3, "outcome": "z"}}})";

json coefficient(double lambda, const json& party, const char* attribute) {
  return {{"lambda", lambda},   {"party", party},   {"attribute", attribute},
          {"coefficient", 0.5}, {"selected", true}, {"grid", 0.25}};
}

json fit(double lambda) {
  return {{"lambda", lambda},       {"n", 100},          {"parameters", 2},  {"nonzero", 1},
          {"iterations", 20},       {"converged", true}, {"r_squared", 0.5}, {"adjusted_r_squared", nullptr},
          {"r_squared_grid", 0.125}};
}

json relations_of(const char* analysis, const std::vector<double>& lambdas) {
  json coefficients = json::array(), fits = json::array();
  for (const double lambda : lambdas) {
    coefficients.push_back(coefficient(lambda, "a", "x"));
    coefficients.push_back(coefficient(lambda, nullptr, "(intercept)"));
    fits.push_back(fit(lambda));
  }
  return json::array({{{"analysis", analysis}, {"relation", "coefficients"}, {"rows", coefficients}},
                      {{"analysis", analysis}, {"relation", "fit"}, {"rows", fits}}});
}

json good() {
  json relations = relations_of("one", {1, 2});
  for (const json& each : relations_of("two", {3})) relations.push_back(each);
  return {{"matched", 100}, {"relations", relations}};
}

bool accepted(const json& result) { return accepts_result(parse_spec(kSpec), 100, result); }

TEST(ResultCheck, TakesTheRelationsOfEveryAnalysis) {
  EXPECT_TRUE(accepted(good()));
  json old = good();  // of version 0.1.0
  old["relations"][1]["rows"][0]["r_squared_grid"] = nullptr;
  old["relations"][0]["rows"][0]["grid"] = nullptr;
  EXPECT_TRUE(accepted(old));
}

TEST(ResultCheck, RefusesEverythingElse) {
  EXPECT_FALSE(accepts_result(parse_spec(kSpec), 101, good()));
  for (const char* text : {"null", "[]", "{}", "1", R"({"matched": 100, "relations": {}})", R"({"matched": 100})"})
    EXPECT_FALSE(accepted(json::parse(text))) << text;
  const auto with = [](const char* pointer, const json& value) {
    json changed = good();
    changed[json::json_pointer(pointer)] = value;
    return accepted(changed);
  };
  const auto without = [](const char* parent, const char* key) {
    json changed = good();
    changed[json::json_pointer(parent)].erase(key);
    return accepted(changed);
  };
  EXPECT_FALSE(with("/matched", "100"));
  EXPECT_FALSE(with("/relations/0/analysis", "three"));
  EXPECT_FALSE(with("/relations/0/relation", "fit"));
  EXPECT_FALSE(with("/relations/0/rows", json::object()));
  EXPECT_FALSE(with("/relations/0/more", 1));
  for (const char* key : {"lambda", "n", "parameters", "nonzero", "iterations", "converged", "r_squared"}) {
    EXPECT_FALSE(without("/relations/1/rows/0", key)) << key;
    EXPECT_FALSE(with((std::string("/relations/1/rows/0/") + key).c_str(), "x")) << key;
    EXPECT_FALSE(with((std::string("/relations/1/rows/0/") + key).c_str(), 55.5)) << key;
  }
  EXPECT_FALSE(with("/relations/1/rows/0/n", 100.0)) << "a count is a whole number";
  EXPECT_FALSE(with("/relations/1/rows/0/r_squared_grid", -1));
  EXPECT_FALSE(with("/relations/1/rows/0/more", 1));
  for (const char* key : {"lambda", "party", "attribute", "coefficient", "selected", "grid"}) {
    EXPECT_FALSE(without("/relations/0/rows/0", key)) << key;
    EXPECT_FALSE(with((std::string("/relations/0/rows/0/") + key).c_str(), json::array())) << key;
  }
  EXPECT_FALSE(with("/relations/0/rows/1/party", "")) << "the intercept has no party";
  EXPECT_FALSE(with("/relations/0/rows/0/grid", 0));
  EXPECT_FALSE(with("/relations/0/rows/0/more", 1));
  EXPECT_FALSE(with("/relations/0/rows/0", coefficient(2, "a", "x"))) << "one twice, one missing";
  json more = good();
  more["relations"].push_back(more["relations"][0]);
  EXPECT_FALSE(accepted(more));
  more = good();
  more["relations"].erase(3);
  EXPECT_FALSE(accepted(more));
}

}  // namespace
}  // namespace pgmpc
