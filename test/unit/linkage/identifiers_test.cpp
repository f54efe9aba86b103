// Normalisation of identifier parts, and the injectivity of their encoding.
#include "linkage/identifiers.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "support/secret_text.h"

namespace pgmpc {
namespace {

std::string normalised(std::string_view text, std::vector<std::string> rules) {
  SecretBytes part = test::secret_text(text);
  normalise_part(part, PartType::text, parse_normalisations(rules));
  return std::string(part.begin(), part.end());
}

std::string encoded(std::initializer_list<std::string_view> parts) {
  SecretBytes out;
  for (std::string_view part : parts) append_part(out, view_of(part));
  return to_hex(view_of(out));
}

TEST(Identifiers, Normalisation) {
  EXPECT_EQ(normalised("  aB 1\t\n", {}), "  aB 1\t\n");
  EXPECT_EQ(normalised("  aB 1\t\n", {"trim"}), "aB 1");
  EXPECT_EQ(normalised(" \v\f\r ", {"trim"}), "");
  EXPECT_EQ(normalised("", {"trim", "upper", "digits"}), "");
  EXPECT_EQ(normalised("jan\xc3\xa9 z", {"upper"}), "JAN\xc3\xa9 Z") << "bytes outside ASCII pass unchanged";
  EXPECT_EQ(normalised("B.S.N. 123-45 67", {"digits"}), "1234567");
  EXPECT_EQ(normalised(" x9 ", {"trim", "upper"}), "X9");
  EXPECT_EQ(normalised("\xa0 x", {"trim"}), "\xa0 x") << "only ASCII white space is trimmed";
}

TEST(Identifiers, RefusesAnUnknownRule) {
  try {
    parse_normalisation("lower");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_parameter);
    EXPECT_EQ(error.message(), "unknown normalisation \"lower\"");
  }
}

TEST(Identifiers, EncodingIsInjective) {
  EXPECT_EQ(encoded({"ab", "c"}), "0000000261620000000163");
  EXPECT_NE(encoded({"ab", "c"}), encoded({"a", "bc"}));
  EXPECT_NE(encoded({"", "x"}), encoded({"x", ""}));
  EXPECT_NE(encoded({"x"}), encoded({"x", ""}));
}

TEST(Identifiers, RefusesHugeParts) {
  SecretBytes out;
  EXPECT_NO_THROW(append_part(out, Bytes(64 * 1024)));
  EXPECT_THROW(append_part(out, Bytes(64 * 1024 + 1)), Error);
}

}  // namespace
}  // namespace pgmpc
