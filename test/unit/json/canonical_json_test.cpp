// What: canonical JSON against the samples of RFC 8785 (sections 3.2.2, 3.2.3, appendix B), and the strict reader.
#include "json/canonical_json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "base/error.h"
#include "support/message_of.h"

namespace pgmpc {
namespace {

std::string canonical(std::string_view text) { return canonical_json(read_json(text, 1 << 16, "document")); }

// The error of reading text; fails the test when there is none.
Error refusal(std::string_view text, std::size_t max_bytes = 1 << 16) {
  try {
    read_json(text, max_bytes, "document");
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted: " << text;
  return Error(ErrorCode::internal, "");
}

struct NumberSample {
  std::uint64_t bits;
  const char* text;
};

// RFC 8785, appendix B.
constexpr NumberSample kNumbers[] = {
    {0x0000000000000000, "0"},
    {0x8000000000000000, "0"},
    {0x0000000000000001, "5e-324"},
    {0x8000000000000001, "-5e-324"},
    {0x7fefffffffffffff, "1.7976931348623157e+308"},
    {0xffefffffffffffff, "-1.7976931348623157e+308"},
    {0x4340000000000000, "9007199254740992"},
    {0xc340000000000000, "-9007199254740992"},
    {0x4430000000000000, "295147905179352830000"},
    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
    {0x44b52d02c7e14af6, "1e+23"},
    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
    {0x444b1ae4d6e2ef50, "1e+21"},
    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
    {0x3eb0c6f7a0b5ed8d, "0.000001"},
    {0x41b3de4355555553, "333333333.3333332"},
    {0x41b3de4355555554, "333333333.33333325"},
    {0x41b3de4355555555, "333333333.3333333"},
    {0x41b3de4355555556, "333333333.3333334"},
    {0x41b3de4355555557, "333333333.33333343"},
    {0xbecbf647612f3696, "-0.0000033333333333333333"},
    {0x43143ff3c1cb0959, "1424953923781206.2"},
};

TEST(CanonicalNumber, PrintsTheSamplesOfTheRfc) {
  for (const NumberSample& sample : kNumbers) {
    EXPECT_EQ(canonical_number(std::bit_cast<double>(sample.bits)), sample.text);
  }
}

TEST(CanonicalNumber, RefusesWhatJsonCannotHold) {
  EXPECT_THROW(canonical_number(std::numeric_limits<double>::quiet_NaN()), Error);
  EXPECT_THROW(canonical_number(std::numeric_limits<double>::infinity()), Error);
  EXPECT_THROW(canonical_number(-std::numeric_limits<double>::infinity()), Error);
}

TEST(CanonicalNumber, RoundTripsRandomBitPatterns) {
  std::mt19937_64 random(20260101);
  for (int i = 0; i < 20000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = canonical_number(value);
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
    ASSERT_EQ(canonical(text), text);
  }
}

TEST(CanonicalNumber, PrintsCommonSettingsAsPeopleWriteThem) {
  EXPECT_EQ(canonical_number(0.1), "0.1");
  EXPECT_EQ(canonical_number(100), "100");
  EXPECT_EQ(canonical_number(-2.5), "-2.5");
  EXPECT_EQ(canonical_number(1e-7), "1e-7");
  EXPECT_EQ(canonical_number(123e18), "123000000000000000000");
}

TEST(CanonicalJson, WritesTheExampleOfTheRfc) {
  EXPECT_EQ(canonical(R"({
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]})"),
            R"({"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],)"
            "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

TEST(CanonicalJson, SortsKeysByUtf16CodeUnits) {
  // U+1F600 sorts before U+FB33 as code units (its first one is 0xd83d), after it as code points.
  EXPECT_EQ(canonical(R"({"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7})"),
            "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,\"\xf0\x9f\x98\x80\":5,"
            "\"\xef\xac\xb3\":3}");
}

TEST(CanonicalJson, EscapesOnlyWhatItMust) {
  EXPECT_EQ(canonical(R"("\b\t\n\u000b\f\r\u0001\u001f\u007f\/")"), "\"\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\x7f/\"");
}

TEST(CanonicalJson, IsTheSameForTheSameNumbers) {
  EXPECT_EQ(canonical("[1, 1.0, 10e-1, 100E-2]"), "[1,1,1,1]");
  EXPECT_EQ(canonical("[-0, -0.0, 0e5]"), "[0,0,0]");
  EXPECT_EQ(canonical("18446744073709551615"), "18446744073709552000");
}

TEST(ReadJson, RefusesDuplicateKeysWhereverTheyAre) {
  EXPECT_EQ(refusal(R"({"a":1,"a":2})").code(), ErrorCode::invalid_parameter);
  EXPECT_EQ(refusal(R"({"a":1,"a":2})").detail(), "key /a");
  EXPECT_EQ(refusal(R"({"x":[{},{"y":{"b":1,"c":2,"b":1}}]})").detail(), "key /x/1/y/b");
  EXPECT_EQ(refusal(R"({"a":1,"\u0061":2})").detail(), "key /a");
  EXPECT_EQ(canonical(R"({"a":{"a":1},"b":{"a":1}})"), R"({"a":{"a":1},"b":{"a":1}})");
}

TEST(ReadJson, RefusesDeepNesting) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(canonical(nested(kMaxJsonDepth)), nested(kMaxJsonDepth));
  EXPECT_EQ(refusal(nested(kMaxJsonDepth + 1)).code(), ErrorCode::invalid_parameter);
  EXPECT_EQ(refusal(std::string(60000, '[')).code(), ErrorCode::invalid_parameter);
}

TEST(ReadJson, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "{\"a\"}", "NaN", "[Infinity]", "[1,]", "{\"a\":1,}", "01", "+1", "1 2", "'a'",
                           "// c\n1", "\"\xff\"", "\"\\ud800\"", "\"a\nb\"", "{1:2}", "nul"}) {
    EXPECT_EQ(refusal(text).code(), ErrorCode::invalid_text) << text;
  }
}

TEST(ReadJson, RefusesNumbersThatNoDoubleHolds) {
  EXPECT_EQ(refusal("[1e400]").code(), ErrorCode::invalid_parameter);
  EXPECT_EQ(refusal("-1e309").code(), ErrorCode::invalid_parameter);
}

TEST(ReadJson, RefusesLargeDocuments) {
  EXPECT_EQ(canonical_json(read_json("[1]", 3, "document")), "[1]");
  EXPECT_EQ(refusal("[12]", 3).code(), ErrorCode::limit_exceeded);
}

TEST(CanonicalJson, HasNoNumberThatIsNotFinite) {
  for (double value : {std::nan(""), HUGE_VAL, -HUGE_VAL})
    EXPECT_EQ(test::message_of([&] { canonical_number(value); }), "number is not finite");
}

TEST(PointerTo, EscapesAndShortens) {
  EXPECT_EQ(pointer_to("/a", "b/c~d"), "/a/b~1c~0d");
  EXPECT_EQ(pointer_to("", "line\nbreak"), "/line?break");
  EXPECT_EQ(pointer_to("", std::string(200, 'x')), "/" + std::string(80, 'x') + "...");
  // A cut never falls inside a character.
  EXPECT_EQ(pointer_to("", std::string(79, 'x') + "\xe2\x82\xac"), "/" + std::string(79, 'x') + "...");
}

struct DifferenceSample {
  const char *a, *b, *pointer;
};

constexpr DifferenceSample kDifferences[] = {
    {R"({"a":1})", R"({"a":1.0})", ""},
    {R"({"a":1})", R"({"a":2})", "/a"},
    {R"({"a":1,"b":2})", R"({"b":3})", "/a"},
    {R"({"b":2})", R"({"a":1,"b":3})", "/a"},
    {R"({"x":{"y":[1,2,3]}})", R"({"x":{"y":[1,5,4]}})", "/x/y/1"},
    {R"({"x":[1,2]})", R"({"x":[1,2,3]})", "/x/2"},
    {R"({"x":[1,2,3]})", R"({"x":[1,2]})", "/x/2"},
    {R"({"x":[]})", R"({"x":{}})", "/x"},
    {R"({"x":null})", R"({"x":false})", "/x"},
    {R"({"a~/b":1})", R"({"a~/b":2})", "/a~0~1b"},
    {"[]", "{}", "/"},
};

TEST(FirstJsonDifference, PointsAtTheFirstOne) {
  for (const DifferenceSample& sample : kDifferences) {
    const auto a = read_json(sample.a, 1000, "document"), b = read_json(sample.b, 1000, "document");
    EXPECT_EQ(first_json_difference(a, b), sample.pointer) << sample.a << " and " << sample.b;
    EXPECT_EQ(first_json_difference(b, a), sample.pointer);
  }
}

}  // namespace
}  // namespace pgmpc
