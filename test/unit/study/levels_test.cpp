// Tests categorical attributes in a spec: their columns, their order, and what is refused.
#include "study/levels.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "study/columns.h"
#include "study/disclosure.h"
#include "study/spec.h"

namespace pgmpc {
namespace {

using nlohmann::json;
using Names = std::vector<std::string>;

json with_levels() {
  return json::parse(R"({
    "controllers": {"a": {"attributes": ["age", {"name": "nyha", "levels": ["II", "I", "III"]}], "outcome": "days"},
                    "b": {"attributes": [{"name": "sex", "levels": ["m", "f"]}, "nyha"]}},
    "third_party": "t", "analyses": {"main": {"kind": "lasso", "lambda": 1}, "table1": {"kind": "describe"}}})");
}

Names names_of(const std::vector<JoinedColumn>& columns, const std::vector<std::size_t>& places) {
  Names out;
  for (const std::size_t k : places) out.push_back(columns[k].name);
  return out;
}

std::string refused(const json& document) {
  try {
    parse_spec(document.dump());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_parameter) << error.message();
    return error.message() + " | " + error.detail();
  }
  return "";
}

TEST(Levels, HaveAColumnEach) {
  const Spec spec = parse_spec(with_levels().dump());
  EXPECT_EQ(spec.controllers[0].columns(), (Names{"age", "nyha:I", "nyha:III", "days", "nyha:II"}));
  EXPECT_EQ(spec.controllers[1].columns(), (Names{"sex:f", "nyha", "sex:m"}));
  const std::vector<JoinedColumn> joined = joined_columns(spec);
  Names names;
  for (const JoinedColumn& column : joined) {
    names.push_back(column.name);
    EXPECT_EQ(spec.controllers[static_cast<std::size_t>(column.party)].columns().at(column.local), column.name);
  }
  EXPECT_EQ(names, (Names{"age", "nyha:I", "nyha:III", "sex:f", "nyha", "days", "nyha:II", "sex:m"}));
  EXPECT_EQ(spec.attribute_count(), 5U);
  EXPECT_EQ(spec.column_count(), 8U);
  EXPECT_EQ(column_count(spec, 0), 5U);
  EXPECT_EQ(spec.required_matches(), 100);
  EXPECT_EQ(read_spec(spec.canonical_json).canonical_json, spec.canonical_json);
  EXPECT_EQ(json::parse(spec.canonical_json)["controllers"]["a"]["attributes"],
            with_levels()["controllers"]["a"]["attributes"]);
}

TEST(Levels, ModelsLeaveTheReferenceOut) {
  const Spec spec = parse_spec(with_levels().dump());
  const std::vector<JoinedColumn> joined = joined_columns(spec);
  const AnalysisColumns &model = spec.analyses.at(0).columns, &table = spec.analyses.at(1).columns;
  EXPECT_EQ(names_of(joined, model.attributes), (Names{"age", "nyha:I", "nyha:III", "sex:f", "nyha"}));
  EXPECT_EQ(names_of(joined, model.left_out), (Names{"nyha:II", "sex:m"}));
  EXPECT_EQ(spec.analyses[0].analysis->numbers_of_model(model), 5 + 2);
  EXPECT_EQ(names_of(joined, table.attributes),
            (Names{"age", "nyha:II", "nyha:I", "nyha:III", "sex:m", "sex:f", "nyha"}));
  EXPECT_TRUE(table.left_out.empty());
  EXPECT_EQ(table.names.at(2).attribute, "nyha");
  EXPECT_EQ(table.names.at(2).level, "I");
  EXPECT_EQ(table.names.at(6).attribute, "");
}

TEST(Levels, AnalysesNameAttributesOrLevels) {
  json document = with_levels();
  document["analyses"]["main"]["attributes"] = {"age", "a.nyha", "sex"};
  document["analyses"]["few"] = {{"kind", "ridge"}, {"lambda", 1}, {"attributes", {"nyha:III", "age"}}};
  const Spec spec = parse_spec(document.dump());
  const std::vector<JoinedColumn> joined = joined_columns(spec);
  EXPECT_EQ(spec.analyses.at(1).name, "main");
  EXPECT_EQ(names_of(joined, spec.analyses[1].columns.attributes), (Names{"age", "nyha:I", "nyha:III", "sex:f"}));
  EXPECT_EQ(names_of(joined, spec.analyses[0].columns.attributes), (Names{"age", "nyha:III"}));
  EXPECT_EQ(names_of(joined, spec.analyses[0].columns.left_out), (Names{"nyha:II", "nyha:I"}));
  document["analyses"]["few"]["attributes"] = {"nyha:II", "age"};
  EXPECT_NE(refused(document).find("no controller has | /analyses/few/attributes/0"), std::string::npos);
  document["analyses"]["few"]["attributes"] = {"a.nyha", "nyha:III"};
  EXPECT_NE(refused(document).find("duplicate attribute"), std::string::npos);
  document["analyses"]["few"] = {{"kind", "describe"}, {"attributes", {"nyha:III", "age"}}};
  EXPECT_NE(refused(document).find("some levels of an attribute only | /analyses/few/attributes"), std::string::npos);
  document["analyses"]["few"]["attributes"] = {"nyha:III", "nyha:I"};
  EXPECT_EQ(refused(document), "") << "all of them but the reference, which it adds";
  document["analyses"].erase("table1");
  document["analyses"].erase("main");
  document["analyses"]["few"] = {
      {"kind", "ridge"}, {"lambda", 1}, {"attributes", {"nyha:III", "age", "sex", "b.nyha"}}};
  EXPECT_NE(refused(document).find("column is used by no analysis"), std::string::npos)
      << "nyha:I is not joined in vain";
  document["analyses"]["few"] = {{"kind", "ridge"}, {"lambda", 1}};
  document["analyses"]["few"]["attributes"] = {"nyha"};
  EXPECT_NE(refused(document).find("not unique"), std::string::npos);
}

TEST(Levels, DescribeTabulatesThem) {
  json document = with_levels();
  document["analyses"]["table1"]["tables"] = json::array({json::array({"sex", "a.nyha"})});
  const Spec spec = parse_spec(document.dump());
  // Six numbers of the table beside two of each number and one per level.
  const AnalysisEntry& table = spec.analyses.at(1);
  EXPECT_EQ(table.analysis->models() * table.analysis->numbers_of_model(table.columns), 6 + 2 * 2 + 5);
  EXPECT_EQ(table.analysis->free_numbers(table.columns), 2 * 2 + 5);
  const std::map<std::string, std::set<std::string>> none = {{"a", {}}, {"b", {}}};
  EXPECT_NO_THROW(check_two_valued(spec, none)) << "levels are two-valued by declaration";
  document["analyses"]["table1"]["by"] = "a.nyha";
  const Spec grouped = parse_spec(document.dump());
  const AnalysisEntry& by = grouped.analyses.at(1);
  // By the three levels of nyha: six numbers of sex and of the other nyha. age is of the same party.
  EXPECT_EQ(by.analysis->models() * by.analysis->numbers_of_model(by.columns), 6 + 2 * 2 + 5 + 2 * 6);
  document["analyses"]["table1"]["by"] = "nyha";
  EXPECT_NE(refused(document).find("not unique in study spec | /analyses/table1/by"), std::string::npos);
}

TEST(Levels, AreRefusedWithTheirPlace) {
  const std::pair<json, const char*> cases[] = {
      {json::array({"I"}), "/controllers/a/attributes/1/levels"},
      {json::array({"I", "I"}), "duplicate level in study spec | /controllers/a/attributes/1/levels/1"},
      {json::array({"I", ""}), "invalid level in study spec | /controllers/a/attributes/1/levels/1"},
      {json::array({"I", " II"}), "invalid level"},
      {json::array({"I", "II "}), "invalid level"},
      {json::array({"I", "a\nb"}), "invalid level"},
      {json::array({"I", "\u00e9"}), "invalid level"},
      {json::array({"I", std::string(64, 'x')}), "invalid level"},
      {json::array({"I", 2}), "/controllers/a/attributes/1/levels/1"},
      {json(Names(51, "x")), "/controllers/a/attributes/1/levels"},
      {json("I"), "/controllers/a/attributes/1/levels"}};
  for (const auto& [levels, expected] : cases) {
    json document = with_levels();
    document["controllers"]["a"]["attributes"][1]["levels"] = levels;
    EXPECT_NE(refused(document).find(expected), std::string::npos) << levels << ": " << refused(document);
  }
  json document = with_levels();
  document["controllers"]["a"]["attributes"][1].erase("levels");
  EXPECT_NE(refused(document), "");
  document = with_levels();
  document["controllers"]["a"]["attributes"][1]["order"] = true;
  EXPECT_NE(refused(document), "");
  document = with_levels();
  document["controllers"]["a"]["attributes"][0] = "nyha";
  EXPECT_NE(refused(document).find("duplicate column"), std::string::npos);
  document = with_levels();
  document["scale_exponents"] = {{"a", {{"nyha:I", 1}}}};
  EXPECT_NE(refused(document).find("scale exponent for a column"), std::string::npos);
  document["scale_exponents"] = {{"a", {{"nyha", 1}}}};
  EXPECT_NE(refused(document).find("scale exponent for an attribute with levels"), std::string::npos);
}

TEST(Levels, AreBounded) {
  json document = with_levels();
  for (int i = 0; i < 5; ++i) {
    json levels = json::array();
    for (int k = 0; k < 50; ++k) levels.push_back("level " + std::to_string(k));
    document["controllers"]["a"]["attributes"].push_back({{"name", "c" + std::to_string(i)}, {"levels", levels}});
  }
  EXPECT_NE(refused(document).find("wrong number of attributes"), std::string::npos);
}

TEST(Levels, StoredSpecsOfFormat1HaveNone) {
  json stored =
      json::parse(R"({"analysis":{"alpha":1,"comparison":"fast","kind":"lasso","lambda":0.1,"max_iterations":200,
    "standardize":true},"controllers":{"a":{"attributes":[{"name":"x","levels":["u","v"]}]},
    "b":{"attributes":["z"],"outcome":"y"}},"third_party":"t"})");
  EXPECT_THROW(read_spec(stored.dump()), Error);
}

// Both controllers have an attribute of the same name with levels: each has its own reference.
TEST(Levels, OfBothControllers) {
  json document = with_levels();
  document["controllers"]["b"]["attributes"][1] = {{"name", "nyha"}, {"levels", {"x", "y"}}};
  const Spec spec = parse_spec(document.dump());
  const std::vector<JoinedColumn> joined = joined_columns(spec);
  EXPECT_EQ(names_of(joined, spec.analyses.at(0).columns.left_out), (Names{"nyha:II", "sex:m", "nyha:x"}));
  EXPECT_EQ(names_of(joined, spec.analyses.at(1).columns.attributes),
            (Names{"age", "nyha:II", "nyha:I", "nyha:III", "sex:m", "sex:f", "nyha:x", "nyha:y"}));
}

TEST(Levels, NamesOfColumns) {
  EXPECT_EQ(level_column("nyha", "III:b"), "nyha:III:b");
  EXPECT_EQ(level_of("nyha:III:b")->attribute, "nyha");
  EXPECT_EQ(level_of("nyha:III:b")->level, "III:b");
  EXPECT_FALSE(level_of("nyha").has_value());
  EXPECT_EQ(shown_column("nyha:a \"b\""), R"(nyha:"a \"b\"")");
  EXPECT_EQ(shown_column("nyha"), "nyha");
}

}  // namespace
}  // namespace pgmpc
