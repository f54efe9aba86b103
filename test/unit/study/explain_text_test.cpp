// Tests explain_text(): each party's text has its own part of every step and the facts of explain(), and nothing else.
#include "study/explain_text.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "study/explain.h"

namespace pgmpc {
namespace {

Spec study() {
  return parse_spec(R"({"controllers":{"a":{"attributes":["x","z"]},"b":{"attributes":["u"],"outcome":"y"}},)"
                    R"("third_party":"t","recipients":["a"],"analysis":{"lambda":0.1}})");
}

std::string text_of(const std::string& party) {
  for (const PartyText& each : explain_text(study()))
    if (each.party == party) return each.text;
  ADD_FAILURE() << "no text for " << party;
  return {};
}

bool says(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

// Returns the chapter with this title, up to the empty line after it.
std::string chapter(const std::string& text, const std::string& title) {
  const std::size_t begin = text.find(title + "\n");
  if (begin == std::string::npos) return {};
  const std::size_t end = text.find("\n\n", begin);
  return text.substr(begin, end == std::string::npos ? end : end + 1 - begin);
}

TEST(ExplainText, SaysWhatEachPartyBrings) {
  const std::string text = text_of("t");
  EXPECT_TRUE(says(text, "- a is a controller. It brings the attributes x and z.\n"));
  EXPECT_TRUE(says(text, "- b is a controller. It brings the attribute u, and the outcome y.\n"));
  EXPECT_TRUE(says(text, "- t is the third party. It brings no data.\n"));
}

TEST(ExplainText, SaysWhatIsSentToWhom) {
  const std::string of_a = chapter(text_of("a"), "What a sends");
  EXPECT_TRUE(says(
      of_a, "- In step 2 (agree_key) it sends to b: its half of the joint key, sealed for the peer; a check value.\n"));
  EXPECT_TRUE(says(of_a, "- In step 4 (push) it sends to t: "));
  EXPECT_TRUE(says(of_a, "- In step 8 (lasso) it sends to both other parties: "));
  EXPECT_FALSE(says(of_a, "In step 1 "));
  const std::string to_t = chapter(text_of("t"), "What t receives");
  EXPECT_TRUE(says(to_t, "- In step 4 (push) a sends it: "));
  EXPECT_TRUE(says(to_t, "- In step 5 (mask) b sends it: "));
  EXPECT_FALSE(says(to_t, "joint key"));
}

// Only a is a recipient. All parties learn the number of iterations.
TEST(ExplainText, SaysWhatEachPartyLearns) {
  const std::string result = "learns: coefficients, intercept, measure of fit";
  EXPECT_TRUE(says(chapter(text_of("a"), "What a learns"), "- In step 8 (lasso) a " + result + ".\n"));
  EXPECT_FALSE(says(chapter(text_of("b"), "What b learns"), result));
  EXPECT_TRUE(says(chapter(text_of("b"), "What the others learn"), "a " + result));
  const std::string of_t = chapter(text_of("t"), "What t learns");
  EXPECT_TRUE(
      says(of_t, "- In step 4 (match) t learns: both sizes and which pushed records pair up, as pseudonyms.\n"));
  EXPECT_TRUE(says(of_t, "- In step 8 (lasso) t learns: number of iterations.\n"));
  EXPECT_FALSE(says(of_t, "match count"));
}

TEST(ExplainText, SaysWhatIsDestroyedAndWhen) {
  EXPECT_TRUE(says(chapter(text_of("b"), "What b destroys, and when"),
                   "- At the end of step 6 (unmask) b destroys: Paillier private key.\n"));
  EXPECT_TRUE(
      says(chapter(text_of("t"), "What t destroys, and when"),
           "- At the end of step 4 (match) t destroys: hashed identifiers and ciphertexts of unmatched records.\n"));
}

TEST(ExplainText, SaysTheStatusOfTheData) {
  const std::string title = "Status of the data at a";
  EXPECT_EQ(chapter(text_of("a"), title), title +
                                              "\n- In step 1: personal.\n- From step 2 to step 3: pseudonymised."
                                              "\n- From step 4 to step 7: anonymous.\n- In step 8: aggregate.\n");
}

// The third party's step 6 has two rows, one per controller, which destroy the same. The text says it once.
TEST(ExplainText, SaysEverythingOnce) {
  for (const PartyText& each : explain_text(study())) {
    std::set<std::string> seen;
    std::istringstream lines(each.text);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("- ")) EXPECT_TRUE(seen.insert(line).second) << each.party << ": " << line;
  }
}

// Every text has every statement about the study as a whole, except those about estimates.
TEST(ExplainText, HasEveryStatement) {
  for (const PartyText& each : explain_text(study()))
    for (const ExplainRow& row : explain(study(), -1)) {
      if (row.step == 0 && !row.name.starts_with("estimates"))
        EXPECT_TRUE(says(each.text, row.learns + ".\n")) << each.party << ": " << row.name;
      for (const std::string& gone : row.destroyed) EXPECT_TRUE(says(each.text, gone)) << each.party << ": " << gone;
    }
}

}  // namespace
}  // namespace pgmpc
