// Fuzzes the study spec, which peers send and which any member of the role mpc_study may write.
// Properties: only Error leaves the parser. An accepted spec is a fixed point (its canonical text parses to the same
// canonical text), keeps its limits, and can be explained and digested.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "study/explain.h"
#include "study/spec.h"

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

void check_accepted(const pgmpc::Spec& spec) {
  const pgmpc::Spec again = pgmpc::parse_spec(spec.canonical_json);
  require(again.canonical_json == spec.canonical_json, "the canonical text is a fixed point");
  require(pgmpc::read_spec(spec.canonical_json).canonical_json == spec.canonical_json, "and is read as it is");
  require(spec.canonical_json.size() <= pgmpc::kMaxSpecBytes, "the canonical text keeps the size limit");
  require(spec.controllers[0].party < spec.controllers[1].party, "controllers are in byte order");
  require(spec.attribute_count() >= 1 && spec.attribute_count() <= pgmpc::kMaxAttributes, "attributes keep the limit");
  require(spec.required_matches() >= spec.disclosure.min_matched, "the stricter rule decides");
  require(pgmpc::study_digest("study", spec).size() == 64, "the digest has 64 digits");
  for (int party = -1; party < 3; ++party) require(!pgmpc::explain(spec, party).empty(), "a spec can be explained");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const pgmpc::Spec stored = pgmpc::read_spec(text);
    require(pgmpc::read_spec(stored.canonical_json).canonical_json == stored.canonical_json,
            "a stored spec of any format is a fixed point");
    require(!pgmpc::explain(stored, 0).empty(), "and can be explained");
  } catch (const pgmpc::Error& error) {
    require(!error.message().empty(), "an error has a message");
  }
  try {
    check_accepted(pgmpc::parse_spec(text));
  } catch (const pgmpc::Error& error) {
    require(!error.message().empty(), "an error has a message");
    require(error.detail().size() < 1024, "an error does not repeat the document");
  }
  return 0;
}
