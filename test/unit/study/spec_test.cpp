// Tests the study spec: defaults, canonical text, digest, and the refusal of everything that is not a spec.
#include "study/spec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "json/spec_reader.h"

namespace pgmpc {
namespace {

using nlohmann::json;

// The example from the documentation.
json example() {
  return json::parse(R"({
    "controllers": {"erasmus_mc":     {"attributes": ["age","sbp","ldl"]},
                    "zilveren_kruis": {"attributes": ["claims","visits"], "outcome": "hospital_days"}},
    "third_party": "zorgttp", "analysis": {"kind": "lasso", "lambda": 0.1}})");
}

// Returns the example with one value replaced or added at a JSON pointer.
std::string with(const char* pointer, const json& value) {
  json document = example();
  document[json::json_pointer(pointer)] = value;
  return document.dump();
}

std::string without(const char* parent, const char* key) {
  json document = example();
  document[json::json_pointer(parent)].erase(key);
  return document.dump();
}

Error refusal(const std::string& text) {
  try {
    parse_spec(text);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted: " << text;
  return Error(ErrorCode::internal, "");
}

// Returns the value of a key in the first analysis of a spec.
json of_analysis(const Spec& spec, const char* key) { return spec.analyses.at(0).analysis->filled().at(key); }

std::vector<double> lambdas_of(const Spec& spec) {
  const json value = of_analysis(spec, "lambda");
  return value.is_array() ? value.get<std::vector<double>>() : std::vector<double>{value.get<double>()};
}

// A filled spec of format 1, as older nodes have stored it.
constexpr const char* kStoredExample =
    R"({"analysis":{"alpha":1,"comparison":"fast","kind":"lasso","lambda":0.1,"max_iterations":200,)"
    R"("standardize":true},)"
    R"("controllers":{"erasmus_mc":{"attributes":["age","sbp","ldl"]},)"
    R"("zilveren_kruis":{"attributes":["claims","visits"],"outcome":"hospital_days"}},)"
    R"("disclosure":{"max_dominance":0.5,"max_parameter_ratio":0.1,"min_cohort_change":10,"min_lambda":null,)"
    R"("min_level_count":10,"min_matched":100,"model_budget":100},"expected_records":null,)"
    R"("identifier":{"normalise":[],"parts":1},"keep_shares":false,"key_bits":3072,)"
    R"("recipients":["erasmus_mc","zilveren_kruis","zorgttp"],"scale_exponents":{},"third_party":"zorgttp"})";

constexpr const char* kFilledExample =
    R"({"analyses":{"lasso":{"alpha":1,"comparison":"fast","kind":"lasso","lambda":0.100656,"max_iterations":200,)"
    R"("standardize":true}},)"
    R"("controllers":{"erasmus_mc":{"attributes":["age","sbp","ldl"]},)"
    R"("zilveren_kruis":{"attributes":["claims","visits"],"outcome":"hospital_days"}},)"
    R"("disclosure":{"max_columns":null,"max_dominance":0.5,"max_leverage":0.4,"max_parameter_ratio":0.1,)"
    R"("max_vif":200,"min_cohort_change":10,"min_lambda":null,)"
    R"("min_level_count":10,"min_matched":100,"model_budget":100,"own_moments":false,"released_numbers":null,)"
    R"("versions":3},"expected_records":null,"format":2,)"
    R"("identifier":{"normalise":[],"parts":1},"keep_shares":false,"key_bits":3072,)"
    R"("recipients":["erasmus_mc","zilveren_kruis","zorgttp"],"refusal":"all",)"
    R"("release":{"precision":"statistical"},"scale_exponents":{},"third_party":"zorgttp"})";

TEST(Spec, FillsDefaults) {
  const Spec spec = parse_spec(example().dump());
  EXPECT_EQ(spec.canonical_json, kFilledExample);
  EXPECT_EQ(spec.attribute_count(), 5U);
  EXPECT_EQ(spec.analyses.at(0).columns.outcome, 5U);
  EXPECT_EQ(spec.controllers[1].columns(), (std::vector<std::string>{"claims", "visits", "hospital_days"}));
  EXPECT_EQ(spec.party_index("erasmus_mc"), 0);
  EXPECT_EQ(spec.party_index("zorgttp"), 2);
  EXPECT_EQ(spec.party_index("nobody"), -1);
  EXPECT_FALSE(spec.expected_records.has_value());
  EXPECT_FALSE(spec.disclosure.min_lambda.has_value());
  EXPECT_EQ(spec.format, 2);
  EXPECT_EQ(spec.precision, Precision::statistical);
  EXPECT_EQ(spec.disclosure.max_vif, 200.0);
}

// The digest of an approved spec never changes: a stored spec is read with the defaults of its own format.
TEST(Spec, StoredSpecsOfFormat1StayAsTheyAre) {
  const Spec spec = read_spec(kStoredExample);
  EXPECT_EQ(spec.canonical_json, kStoredExample);
  EXPECT_EQ(spec.format, 1);
  EXPECT_EQ(spec.precision, Precision::exact);
  EXPECT_EQ(lambdas_of(spec), std::vector<double>{0.1});
  EXPECT_EQ(spec.disclosure.max_leverage, 1);
  EXPECT_FALSE(spec.disclosure.max_vif.has_value());
  EXPECT_EQ(spec.required_matches(), 100);
  // printf 'pg_mpc study 1\nheart_failure\n<stored example>' | sha256sum
  EXPECT_EQ(study_digest("heart_failure", spec), "ba6ea986b9b3dd70edb056d28e912606d62e02bec4e803eac846a929b5c1023b");
  EXPECT_EQ(read_spec(kFilledExample).canonical_json, kFilledExample);
  json later = json::parse(kStoredExample);
  later["disclosure"]["max_leverage"] = 0.4;
  EXPECT_THROW(read_spec(later.dump()), Error) << "format 1 has no such key";
  for (const auto& [key, value] : {std::pair{"attributes", json::array({"age"})}, {"outcome", json("hospital_days")}}) {
    json named = json::parse(kStoredExample);
    named["analysis"][key] = value;
    EXPECT_THROW(read_spec(named.dump()), Error) << "nor has an analysis of it";
  }
  EXPECT_EQ(parse_spec(kStoredExample).canonical_json, kFilledExample) << "proposed again it gets today's defaults";
}

TEST(Spec, OneAnalysisHasAShortForm) {
  json document = example();
  document["analyses"] = {{"lasso", document["analysis"]}};
  document.erase("analysis");
  EXPECT_EQ(parse_spec(document.dump()).canonical_json, kFilledExample);
  document["analyses"] = {{"main", {{"kind", "ridge"}, {"lambda", 2}}}};
  const Spec spec = parse_spec(document.dump());
  EXPECT_EQ(spec.analyses.at(0).name, "main");
  EXPECT_EQ(read_spec(spec.canonical_json).canonical_json, spec.canonical_json);
  document["analyses"] = {{"main", {{"kind", "glm"}, {"lambda", 1}}}};
  EXPECT_EQ(refusal(document.dump()).code(), ErrorCode::not_supported);
  document["analyses"] = {{"main", {{"lambda", -1}}}};
  EXPECT_EQ(refusal(document.dump()).detail().rfind("/analyses/main/lambda", 0), 0U);
  document["analyses"] = json::object();
  EXPECT_EQ(refusal(document.dump()).code(), ErrorCode::invalid_parameter);
}

TEST(Spec, SeveralAnalysesShareAJoin) {
  json document = example();
  document["controllers"]["erasmus_mc"]["outcome"] = json::array({"los", "cost"});
  document.erase("analysis");
  document["analyses"] = {
      {"short", {{"lambda", 1}, {"outcome", "los"}, {"attributes", {"zilveren_kruis.visits", "age"}}}},
      {"days", {{"kind", "ridge"}, {"lambda", 2}, {"outcome", "hospital_days"}}},
      {"money", {{"lambda", {1, 2}}, {"outcome", "erasmus_mc.cost"}}}};
  const Spec spec = parse_spec(document.dump());
  ASSERT_EQ(spec.analyses.size(), 3U);
  // Joined order: age, sbp, ldl, claims, visits; los, cost; hospital_days.
  EXPECT_EQ(spec.column_count(), 8U);
  EXPECT_EQ(spec.analyses[0].name, "days");
  EXPECT_EQ(spec.analyses[0].columns.outcome, 7U);
  EXPECT_EQ(spec.analyses[0].columns.attributes.size(), 5U);
  EXPECT_EQ(spec.analyses[1].columns.outcome, 6U);
  EXPECT_EQ(spec.analyses[2].columns.outcome, 5U);
  EXPECT_EQ(spec.analyses[2].columns.attributes, (std::vector<std::size_t>{0, 4}));
  EXPECT_EQ(spec.analyses[2].columns.names.at(1).party, "zilveren_kruis");
  EXPECT_EQ(spec.controllers[0].columns(), (std::vector<std::string>{"age", "sbp", "ldl", "los", "cost"}));
  EXPECT_EQ(read_spec(spec.canonical_json).canonical_json, spec.canonical_json);
  const auto refused = [&](const char* pointer, const json& value) {
    json changed = document;
    changed[json::json_pointer(pointer)] = value;
    return refusal(changed.dump());
  };
  EXPECT_EQ(refused("/analyses/days/outcome", "nobody").message(), "analysis names an outcome that no controller has");
  EXPECT_EQ(refused("/analyses/days/attributes", {"age", "erasmus_mc.age"}).message(),
            "duplicate attribute in study spec");
  EXPECT_EQ(refused("/analyses/days/attributes", {"hospital_days"}).message(),
            "analysis names an attribute that no controller has");
  EXPECT_EQ(refused("/controllers/zilveren_kruis/attributes", {"age", "visits"}).detail(),
            "/analyses/short/attributes/1: \"age\"");
  EXPECT_EQ(refused("/analyses/money/comparison", "compact").message(),
            "analyses of one study compare in different ways");
  EXPECT_EQ(refused("/analyses/money/outcome", "los").detail(), "/analyses: erasmus_mc.cost");
  EXPECT_EQ(refused("/refusal", "each").code(), ErrorCode::not_supported);
  document["analyses"]["days"].erase("outcome");
  EXPECT_EQ(refusal(document.dump()).message(), "analysis does not say which outcome it is about");
  EXPECT_EQ(refusal(document.dump()).detail(),
            "/analyses/days: the outcomes are erasmus_mc.los, erasmus_mc.cost, zilveren_kruis.hospital_days");
}

TEST(Spec, LambdasLieOnAGridUnlessTheReleaseIsExact) {
  json document = example();
  document["analysis"]["lambda"] = {0, 0.1, 1, 2.5, 1e-9, 4e7};
  const Spec rounded = parse_spec(document.dump());
  EXPECT_EQ(lambdas_of(rounded)[0], 0);
  EXPECT_EQ(lambdas_of(rounded)[2], 1);
  for (std::size_t k = 1; k < 6; ++k) {
    const double given = document["analysis"]["lambda"][k];
    EXPECT_NEAR(lambdas_of(rounded)[k] / given, 1, 0.0220);
    const double steps = std::log2(lambdas_of(rounded)[k]) * 16;
    EXPECT_NEAR(steps, std::round(steps), 2e-4);
  }
  EXPECT_EQ(lambdas_of(read_spec(rounded.canonical_json)), lambdas_of(rounded));
  document["release"] = {{"precision", "exact"}};
  EXPECT_EQ(lambdas_of(parse_spec(document.dump()))[1], 0.1);
  document["release"] = {{"precision", "coarse"}};
  document["analysis"]["lambda"] = {1, 1.01};
  EXPECT_EQ(refusal(document.dump()).message(), "duplicate lambda in study spec");
  document["analysis"]["lambda"] = 0.099;
  document["disclosure"] = {{"min_lambda", 0.0985}};
  EXPECT_GE(lambdas_of(parse_spec(document.dump()))[0], 0.0985) << "never rounded below the agreed minimum";
}

TEST(Spec, OrdersControllersByName) {
  const Spec spec = parse_spec(R"({"third_party":"m","analysis":{"lambda":1},"controllers":
    {"z":{"attributes":["a"]},"a":{"attributes":[],"outcome":"y"}}})");
  EXPECT_EQ(spec.party_name(0), "a");
  EXPECT_EQ(spec.party_name(1), "z");
  EXPECT_EQ(spec.controllers[0].outcomes, std::vector<std::string>{"y"});
}

TEST(Spec, CanonicalTextIsItsOwnCanonicalText) {
  json full = example();
  full["key_bits"] = 2048.0;
  full["identifier"] = {{"parts", 2}, {"normalise", {"digits", "trim"}}};
  full["analysis"] = {{"kind", "elastic_net"},
                      {"lambda", {1, 0.5, 0}},
                      {"alpha", 0.25},
                      {"standardize", false},
                      {"comparison", "compact"}};
  full["recipients"] = {"zorgttp", "erasmus_mc"};
  full["expected_records"] = 5000;
  full["scale_exponents"] = {{"zilveren_kruis", {{"hospital_days", -3}}}, {"erasmus_mc", json::object()}};
  full["keep_shares"] = true;
  full["disclosure"] = {{"min_matched", 30}, {"min_lambda", 0}};
  const Spec spec = parse_spec(full.dump(2));
  EXPECT_EQ(parse_spec(spec.canonical_json).canonical_json, spec.canonical_json);
  EXPECT_EQ(spec.key_bits, 2048);
  EXPECT_EQ(of_analysis(spec, "kind"), "elastic_net");
  EXPECT_EQ(lambdas_of(spec), (std::vector<double>{1, 0.5, 0}));
  EXPECT_EQ(spec.recipients, (std::vector<std::string>{"erasmus_mc", "zorgttp"}));
  EXPECT_EQ(spec.identifier.normalise, (std::vector<std::string>{"digits", "trim"}));
  EXPECT_EQ(spec.controllers[1].scale_exponents.at("hospital_days"), -3);
  EXPECT_EQ(spec.disclosure.min_lambda, 0.0);
  EXPECT_TRUE(spec.keep_shares);
}

TEST(Spec, PartsOfIdentifiersHaveForms) {
  json document = example();
  document["identifier"] = json::parse(
      R"({"parts": ["bsn", {"form": "number/1", "width": 9}, {"form": "date", "order": "mdy", "no_defaults": true},
    {"form": "surname_nl", "sound": true}, {"form": "postcode_nl", "area": true}, {"form": "text", "fold": true}, "letters",
    {"form": "code", "codes": {"1": "m", "Man": "M", "2": "v"}}],
    "examples": [["123456782", "12", "03/13/1968", "van Dijk", "1234 AB", "Daniël", "Łódź", "man"]]})");
  const Spec spec = parse_spec(document.dump());
  EXPECT_EQ(spec.identifier.parts, 8);
  EXPECT_EQ(parse_spec(spec.canonical_json).canonical_json, spec.canonical_json);
  EXPECT_EQ(read_spec(spec.canonical_json).canonical_json, spec.canonical_json);
  const json filled = json::parse(spec.canonical_json)["identifier"];
  EXPECT_EQ(filled["parts"][0], (json{{"form", "bsn/1"}}));
  EXPECT_EQ(filled["parts"][7]["codes"], (json{{"1", "M"}, {"2", "V"}, {"MAN", "M"}}));
  EXPECT_FALSE(filled.contains("normalise"));
  const std::string hex = filled["examples"][0]["normalised"];
  EXPECT_NE(hex.find("3139363830333133"), std::string::npos) << "19680313";
  document["expect_matched"] = {4000, 5000};
  EXPECT_EQ(parse_spec(document.dump()).expect_matched, std::pair(std::int64_t{4000}, std::int64_t{5000}));
}

TEST(Spec, FormsAreRefusedWithTheirPlace) {
  const auto said = [](const char* identifier) {
    json document = example();
    document["identifier"] = json::parse(identifier);
    return std::string(refusal(document.dump()).detail());
  };
  EXPECT_EQ(said(R"({"parts": ["bsn/2"]})"), R"(/identifier/parts/0: "bsn/2")");
  EXPECT_EQ(said(R"({"parts": []})").substr(0, 17), "/identifier/parts");
  EXPECT_EQ(said(R"({"parts": [{"form": "bsn", "width": 3}]})").substr(0, 25), "/identifier/parts/0/width");
  EXPECT_EQ(said(R"({"parts": ["code"]})").substr(0, 19), "/identifier/parts/0");
  EXPECT_EQ(said(R"({"parts": [{"form": "code", "codes": {"1": "2", "2": "1"}}]})").substr(0, 25),
            "/identifier/parts/0/codes");
  EXPECT_EQ(said(R"({"parts": [{"form": "date", "order": "ymd"}]})"), R"(/identifier/parts/0/order: "ymd")");
  EXPECT_EQ(said(R"({"parts": ["bsn"], "normalise": ["trim"]})").substr(0, 21), "/identifier/normalise");
  EXPECT_EQ(said(R"({"parts": ["bsn"], "examples": [["123456789"]]})"), "/identifier/examples/0: check digit");
  EXPECT_EQ(said(R"({"parts": ["bsn"], "examples": [["123456782", "x"]]})").substr(0, 22), "/identifier/examples/0");
  EXPECT_EQ(said(R"({"parts": ["bsn"], "examples": [{"parts": ["123456782"], "normalised": "00"}]})").substr(0, 24),
            "/identifier/examples/0: ");
  EXPECT_EQ(said(R"({"parts": 1, "normalise": ["digits"], "examples": [["n.v.t."]]})"),
            "/identifier/examples/0: empty");
}

TEST(Spec, EveryKindHasItsAlpha) {
  json document = example();
  const auto alpha_of = [&](const json& analysis) {
    document["analysis"] = analysis;
    const Spec spec = parse_spec(document.dump());
    EXPECT_EQ(parse_spec(spec.canonical_json).canonical_json, spec.canonical_json);
    return of_analysis(spec, "alpha").get<double>();
  };
  EXPECT_EQ(alpha_of({{"lambda", 1}}), 1);
  EXPECT_EQ(alpha_of({{"kind", "ridge"}, {"lambda", 1}}), 0);
  EXPECT_EQ(alpha_of({{"kind", "ridge"}, {"lambda", 1}, {"alpha", -0.0}}), 0);
  EXPECT_EQ(alpha_of({{"kind", "elastic_net"}, {"lambda", 1}}), 1);
  EXPECT_EQ(alpha_of({{"kind", "elastic_net"}, {"lambda", 1}, {"alpha", 0.25}}), 0.25);
  EXPECT_EQ(alpha_of({{"kind", "elastic_net"}, {"lambda", 1}, {"alpha", 0}}), 0);
  document["analysis"] = {{"kind", "ridge"}, {"lambda", 1}, {"alpha", 1}};
  EXPECT_THROW(parse_spec(document.dump()), Error);
}

TEST(Spec, NullStandsForADefaultOfNull) {
  json document = example();
  document["expected_records"] = nullptr;
  document["scale_exponents"] = nullptr;
  document["disclosure"] = {{"min_lambda", nullptr}};
  EXPECT_EQ(parse_spec(document.dump()).canonical_json, kFilledExample);
}

TEST(Spec, OneLambdaInAnArrayIsTheSameSpec) {
  EXPECT_EQ(parse_spec(with("/analysis/lambda", {0.1})).canonical_json, kFilledExample);
  EXPECT_EQ(lambdas_of(parse_spec(with("/analysis/lambda", -0.0))), std::vector<double>{0});
}

TEST(Spec, ControllersMayUseTheSameName) {
  const Spec spec = parse_spec(with("/controllers/zilveren_kruis/attributes", {"age"}));
  EXPECT_EQ(spec.attribute_count(), 4U);
}

TEST(Spec, RequiredMatchesIsTheStricterRule) {
  EXPECT_EQ(parse_spec(example().dump()).required_matches(), 100);
  json wide = example();
  for (int i = 0; i < 25; ++i) wide["controllers"]["erasmus_mc"]["attributes"].push_back("x" + std::to_string(i));
  EXPECT_EQ(parse_spec(wide.dump()).required_matches(), 310);
  wide["disclosure"] = {{"max_parameter_ratio", 0.3}};
  EXPECT_EQ(parse_spec(wide.dump()).required_matches(), 300) << "ten for each of the attributes";
  wide["disclosure"]["max_columns"] = 30;
  EXPECT_EQ(parse_spec(wide.dump()).required_matches(), 104);
  wide["disclosure"] = {{"max_parameter_ratio", 0.3}, {"min_matched", 500}, {"max_columns", 30}};
  EXPECT_EQ(parse_spec(wide.dump()).required_matches(), 500);
  wide["disclosure"] = {{"max_parameter_ratio", 1.5}, {"min_matched", 2}, {"max_columns", 30}};
  EXPECT_EQ(parse_spec(wide.dump()).required_matches(), 21);
}

TEST(Spec, DigestIsStable) {
  const Spec spec = parse_spec(example().dump());
  // printf 'pg_mpc study 1\nheart_failure\n<filled example>' | sha256sum
  EXPECT_EQ(study_digest("heart_failure", spec), "b9d5e3644059fcf9f16fe7d3c3b43bb28b3688260bff595abc74e48278d0fbc1");
  EXPECT_NE(study_digest("heart_failures", spec), study_digest("heart_failure", spec));
  EXPECT_NE(study_digest("heart_failure", parse_spec(with("/key_bits", 4096))), study_digest("heart_failure", spec));
}

TEST(Spec, NamesTheFirstDifference) {
  const std::string a = parse_spec(example().dump()).canonical_json;
  EXPECT_EQ(first_difference(a, a), "");
  EXPECT_EQ(first_difference(a, parse_spec(with("/analysis/lambda", 0.2)).canonical_json), "/analyses/lasso/lambda");
  EXPECT_EQ(first_difference(a, parse_spec(with("/controllers/erasmus_mc/attributes/1", "dbp")).canonical_json),
            "/controllers/erasmus_mc/attributes/1");
}

TEST(Spec, ValidNames) {
  for (const char* name : {"a", "age", "x_1", "z9"}) EXPECT_TRUE(valid_name(name)) << name;
  for (const char* name : {"", "A", "1a", "_a", "a-b", "a b", "\xc3\xa9", "(intercept)"})
    EXPECT_FALSE(valid_name(name));
  EXPECT_TRUE(valid_name(std::string(63, 'a')));
  EXPECT_FALSE(valid_name(std::string(64, 'a')));
  EXPECT_FALSE(valid_name(std::string_view("a\0b", 3)));
}

struct BadValue {
  const char* pointer;
  const char* value;  // JSON
  const char* message;
  const char* at;  // pointer at the start of the detail; nullptr: the same as `pointer`
};

constexpr const char* kType = "value of the wrong type in study spec";
constexpr const char* kRange = "value out of range in study spec";
constexpr const char* kUnknown = "unknown key in study spec";
constexpr const char* kSize = "array of the wrong size in study spec";

constexpr BadValue kBadValues[] = {
    {"/speed", "1", kUnknown, nullptr},
    {"/analysis/lamda", "1", kUnknown, nullptr},
    {"/controllers/erasmus_mc/outcomes", "[]", kUnknown, nullptr},
    {"/identifier", R"({"part":1})", kUnknown, "/identifier/part"},
    {"/disclosure", R"({"a/b":1})", kUnknown, "/disclosure/a~1b"},
    {"/key_bits", "1024", kRange, nullptr},
    {"/key_bits", "-1", kRange, nullptr},
    {"/key_bits", "3072.5", kType, nullptr},
    {"/key_bits", "\"3072\"", kType, nullptr},
    {"/key_bits", "null", kType, nullptr},
    {"/identifier", "[]", kType, nullptr},
    {"/identifier", R"({"parts":0})", kRange, "/identifier/parts"},
    {"/identifier", R"({"parts":17})", kRange, "/identifier/parts"},
    {"/identifier", R"({"normalise":"trim"})", kType, "/identifier/normalise"},
    {"/identifier", R"({"normalise":["lower"]})", "unknown normalisation in study spec", "/identifier/normalise/0"},
    {"/identifier", R"({"normalise":["trim","trim"]})", "duplicate normalisation in study spec",
     "/identifier/normalise/1"},
    {"/identifier", R"({"normalise":["trim",1]})", kType, "/identifier/normalise/1"},
    {"/analysis", "0.1", kType, nullptr},
    {"/analysis/kind", "\"logistic\"", "unknown analysis in study spec", nullptr},
    {"/analysis/kind", "1", kType, nullptr},
    {"/analysis/lambda", "-0.1", "lambda must not be negative", nullptr},
    {"/analysis/lambda", "[1,-1e-300]", "lambda must not be negative", "/analysis/lambda/1"},
    {"/analysis/lambda", "[]", kSize, nullptr},
    {"/analysis/lambda", "[1,2,1.0]", "duplicate lambda in study spec", "/analysis/lambda/2"},
    {"/analysis/lambda", "\"0.1\"", kType, nullptr},
    {"/analysis/lambda", "null", kType, nullptr},
    {"/analysis/alpha", "-0.1", kRange, nullptr},
    {"/analysis/alpha", "0", "alpha applies to elastic_net only", nullptr},
    {"/analysis/alpha", "1.01", kRange, nullptr},
    {"/analysis/alpha", "0.5", "alpha applies to elastic_net only", nullptr},
    {"/analysis/standardize", "1", kType, nullptr},
    {"/analysis/comparison", "\"slow\"", "unknown comparison in study spec", nullptr},
    {"/analysis/comparison", "true", kType, nullptr},
    {"/analysis/max_iterations", "0", kRange, nullptr},
    {"/analysis/max_iterations", "10001", kRange, nullptr},
    {"/analysis/max_iterations", "1e300", kRange, nullptr},
    {"/recipients", "[]", kSize, nullptr},
    {"/recipients", R"(["zorgttp","zorgttp"])", "duplicate party in study spec", "/recipients/1"},
    {"/recipients", R"(["zorgttp","somebody"])", "recipient does not take part in the study", "/recipients/1"},
    {"/recipients", "\"zorgttp\"", kType, nullptr},
    {"/expected_records", "0", kRange, nullptr},
    {"/expected_records", "8589934593", kRange, nullptr},
    {"/scale_exponents", R"({"zorgttp":{}})", "scale exponents for a party that is not a controller",
     "/scale_exponents/zorgttp"},
    {"/scale_exponents", R"({"erasmus_mc":{"visits":1}})",
     "scale exponent for a column that the controller does not use", "/scale_exponents/erasmus_mc/visits"},
    {"/scale_exponents", R"({"erasmus_mc":{"age":61}})", kRange, "/scale_exponents/erasmus_mc/age"},
    {"/scale_exponents", R"({"erasmus_mc":{"age":-61}})", kRange, "/scale_exponents/erasmus_mc/age"},
    {"/scale_exponents", R"({"erasmus_mc":{"age":0.5}})", kType, "/scale_exponents/erasmus_mc/age"},
    {"/scale_exponents", R"({"erasmus_mc":3})", kType, "/scale_exponents/erasmus_mc"},
    {"/keep_shares", "\"yes\"", kType, nullptr},
    {"/disclosure", "null", kType, nullptr},
    {"/disclosure", R"({"min_matched":0})", kRange, "/disclosure/min_matched"},
    {"/disclosure", R"({"max_parameter_ratio":0})", kRange, "/disclosure/max_parameter_ratio"},
    {"/disclosure", R"({"max_parameter_ratio":1001})", kRange, "/disclosure/max_parameter_ratio"},
    {"/disclosure", R"({"min_level_count":-1})", kRange, "/disclosure/min_level_count"},
    {"/disclosure", R"({"max_dominance":0})", kRange, "/disclosure/max_dominance"},
    {"/disclosure", R"({"max_dominance":1.1})", kRange, "/disclosure/max_dominance"},
    {"/disclosure", R"({"model_budget":0})", kRange, "/disclosure/model_budget"},
    {"/disclosure", R"({"min_cohort_change":-1})", kRange, "/disclosure/min_cohort_change"},
    {"/disclosure", R"({"min_lambda":-1})", kRange, "/disclosure/min_lambda"},
    {"/disclosure", R"({"min_lambda":0.2})", "lambda is below the agreed minimum", "/analysis/lambda"},
    {"/disclosure", R"({"max_leverage":0})", kRange, "/disclosure/max_leverage"},
    {"/disclosure", R"({"max_leverage":1.1})", kRange, "/disclosure/max_leverage"},
    {"/disclosure", R"({"max_leverage":null})", kType, "/disclosure/max_leverage"},
    {"/disclosure", R"({"max_vif":1})", kRange, "/disclosure/max_vif"},
    {"/disclosure", R"({"max_vif":1001})", kRange, "/disclosure/max_vif"},
    {"/disclosure", R"({"max_columns":0})", kRange, "/disclosure/max_columns"},
    {"/disclosure", R"({"max_columns":4})", "more attributes than the agreed maximum in study spec",
     "/disclosure/max_columns"},
    {"/disclosure", R"({"versions":0})", kRange, "/disclosure/versions"},
    {"/disclosure", R"({"released_numbers":0})", kRange, "/disclosure/released_numbers"},
    {"/disclosure", R"({"own_moments":1})", kType, "/disclosure/own_moments"},
    {"/format", "1", "unknown format of study spec", nullptr},
    {"/format", "3", "unknown format of study spec", nullptr},
    {"/format", "\"2\"", kType, nullptr},
    {"/release", "\"exact\"", kType, nullptr},
    {"/release", R"({"precise":true})", kUnknown, "/release/precise"},
    {"/release", R"({"precision":"rough"})", "unknown precision in study spec", "/release/precision"},
    {"/refusal", "\"none\"", "unknown refusal in study spec", nullptr},
    {"/analyses", R"({"lasso":{"lambda":1}})", "study spec has both analysis and analyses", "/analysis"},
    {"/controllers", "[]", kType, nullptr},
    {"/controllers/third", R"({"attributes":["a"]})", "study spec needs exactly two controllers", "/controllers"},
    {"/controllers", R"({"a":{"attributes":["x"]},"B":{"attributes":["x"],"outcome":"y"}})",
     "invalid party name in study spec", "/controllers/B"},
    {"/controllers/erasmus_mc", "null", kType, nullptr},
    {"/controllers/erasmus_mc/attributes", "[]", kSize, nullptr},
    {"/controllers/erasmus_mc/attributes", "\"age\"", kType, nullptr},
    {"/controllers/erasmus_mc/attributes", R"(["age","Age"])", "invalid column name in study spec",
     "/controllers/erasmus_mc/attributes/1"},
    {"/controllers/erasmus_mc/attributes", R"(["age","ldl","age"])", "duplicate column in study spec",
     "/controllers/erasmus_mc/attributes/2"},
    {"/controllers/erasmus_mc/attributes", "[1]", kType, "/controllers/erasmus_mc/attributes/0"},
    {"/controllers/erasmus_mc/outcome", "\"days\"", "analysis does not say which outcome it is about", "/analysis"},
    {"/controllers/erasmus_mc/outcome", "null", kType, nullptr},
    {"/controllers/zilveren_kruis/outcome", "\"visits\"", "outcome is also an attribute in study spec", nullptr},
    {"/third_party", "\"erasmus_mc\"", "third party is also a controller in study spec", nullptr},
    {"/third_party", "\"ZorgTTP\"", "invalid party name in study spec", nullptr},
    {"/third_party", "null", kType, nullptr},
};

TEST(Spec, RefusesEachBadValueAndSaysWhere) {
  for (const BadValue& bad : kBadValues) {
    const Error error = refusal(with(bad.pointer, json::parse(bad.value)));
    const std::string at = bad.at ? bad.at : bad.pointer;
    EXPECT_EQ(error.code(), ErrorCode::invalid_parameter) << bad.pointer << " " << bad.value;
    EXPECT_EQ(error.message(), bad.message) << bad.pointer << " " << bad.value;
    EXPECT_EQ(error.detail().substr(0, at.size()), at) << bad.value;
    // The pointer must end there: a colon or the end of the detail follows.
    EXPECT_TRUE(error.detail().size() == at.size() || error.detail()[at.size()] == ':') << error.detail();
  }
}

TEST(Spec, RefusesMissingKeys) {
  const std::pair<const char*, const char*> required[] = {{"", "controllers"},
                                                          {"", "third_party"},
                                                          {"", "analysis"},
                                                          {"/analysis", "lambda"},
                                                          {"/controllers/erasmus_mc", "attributes"}};
  for (const auto& [parent, key] : required) {
    const Error error = refusal(without(parent, key));
    EXPECT_EQ(error.message(), "study spec lacks a required key");
    EXPECT_EQ(error.detail(), std::string(parent) + "/" + key);
  }
  EXPECT_EQ(refusal(without("/controllers/zilveren_kruis", "outcome")).message(), "analysis needs an outcome");
  EXPECT_EQ(refusal(without("/controllers", "erasmus_mc")).message(), "study spec needs exactly two controllers");
}

TEST(Spec, HintListsValidKeys) {
  EXPECT_EQ(refusal(with("/analysis/lamda", 1)).hint(),
            "valid keys: alpha, attributes, comparison, kind, lambda, max_iterations, outcome, standardize");
}

TEST(Spec, RefusesWhatIsNotOneObject) {
  EXPECT_EQ(refusal("[]").message(), kType);
  EXPECT_EQ(refusal("null").detail(), "/: found null, expected an object");
  EXPECT_EQ(refusal("{").code(), ErrorCode::invalid_text);
  EXPECT_EQ(refusal(R"({"third_party":"a","third_party":"a"})").detail(), "key /third_party");
  EXPECT_EQ(refusal(R"({"analysis":{"lambda":1e999}})").code(), ErrorCode::invalid_parameter);
}

TEST(Spec, BoundsItsSize) {
  std::string text = example().dump();
  text.resize(kMaxSpecBytes, ' ');
  EXPECT_EQ(parse_spec(text).canonical_json, kFilledExample);
  EXPECT_EQ(refusal(text + " ").code(), ErrorCode::limit_exceeded);
  // jsonb writes a stored spec with blanks.
  std::string stored = kFilledExample;
  stored.resize(kMaxSpecBytes + 1000, ' ');
  EXPECT_EQ(read_spec(stored).canonical_json, kFilledExample);
}

TEST(Spec, BoundsAttributesAndLambdas) {
  json names = json::array();
  for (int i = 0; i < 198; ++i) names.push_back("x" + std::to_string(i));
  EXPECT_EQ(parse_spec(with("/controllers/erasmus_mc/attributes", names)).attribute_count(), 200U);
  names.push_back("y");
  EXPECT_EQ(refusal(with("/controllers/erasmus_mc/attributes", names)).message(),
            "wrong number of attributes in study spec");
  json lambdas = json::array();
  for (int i = 0; i < 100; ++i) lambdas.push_back(std::exp2(-0.1 * i));
  EXPECT_EQ(lambdas_of(parse_spec(with("/analysis/lambda", lambdas))).size(), 100U);
  lambdas.push_back(0);
  EXPECT_EQ(refusal(with("/analysis/lambda", lambdas)).message(), kSize);
}

// Even the largest valid spec has a canonical text within the limit, so it can be sent and read again.
TEST(Spec, FilledSpecStaysWithinItsLimit) {
  json document = example();
  json names = json::array(), exponents = json::object(), lambdas = json::array();
  for (int i = 0; i < 198; ++i) {
    std::string name = "x" + std::to_string(1000 + i);
    name.resize(63, 'x');
    names.push_back(name);
    exponents[name] = -60;
  }
  for (int i = 0; i < 100; ++i) lambdas.push_back(1.2345678901234567e-300 * (i + 1));
  document["controllers"]["erasmus_mc"]["attributes"] = names;
  document["scale_exponents"] = {{"erasmus_mc", exponents}};
  document["analysis"]["lambda"] = lambdas;
  document["release"] = {{"precision", "exact"}};
  const Spec spec = parse_spec(document.dump());
  EXPECT_LE(spec.canonical_json.size(), kMaxSpecBytes);
  EXPECT_EQ(parse_spec(spec.canonical_json).canonical_json, spec.canonical_json);
}

}  // namespace
}  // namespace pgmpc
