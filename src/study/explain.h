// Says what a study will do, before anybody approves it. There is one row per step and party. Rows of step 0 say what
// is public, whom the parties have to trust, which disclosure rules hold and how much the openings can leak.
//
// Terms
// An estimate is a number computed from the spec. It is NULL where the spec does not say enough.
// Own records are the complete records of the source that this node has bound or looks at. They are the pushed records
// up to step 4, and an upper bound of the matched ones from step 5 on.
//
// Invariants
// Without own records the rows are a function of the spec only, so every party may read all of them. own_party then
// only decides whose rows come first. With own records, the numbers in own_party's rows and one row of step 0 follow
// from its own count. No row depends on the counts of another party (rule F5).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "study/spec.h"

namespace pgmpc {

inline constexpr const char* kNothing = "nothing";

// What some of the parties learn in one step.
struct Learning {
  std::string who;           // for display: "third party", "all", or names
  std::vector<int> parties;  // the same as party indexes
  std::string what;
};

// One row of mpc.explain_study.
struct ExplainRow {
  int step = 0;        // 1 to 8 as in the protocol; 0 for what concerns the study as a whole
  std::string name;    // prepare, agree_key, scramble, push, match, mask, unmask, share, lasso; for step 0 the subject
  std::string party;   // who acts; empty: all
  std::string peer;    // who receives; empty: nobody, or both others
  std::string sends;   // what is sent, or kNothing
  std::string learns;  // `learned` in words; for step 0 the statement
  std::vector<Learning> learned;
  std::optional<std::int64_t> records;
  std::optional<std::int64_t> bytes;
  std::optional<std::int64_t> rounds;
  std::optional<double> seconds;
  std::string data_status;  // personal, pseudonymised, anonymous, aggregate
  std::vector<std::string> destroyed;
  std::string analysis;  // for step 0 of a study with several: the one that the statement is about
};

// Returns all rows, ordered by step. own_party: 0, 1, 2, or -1 for a reader that takes no part. own_records: the count
// of this controller's own records; ignored unless own_party is 0 or 1.
std::vector<ExplainRow> explain(const Spec& spec, int own_party,
                                const std::optional<std::int64_t>& own_records = std::nullopt);

// Returns the base-2 logarithm of the statistical distance of everything that all analyses of the study may open.
double planned_exposure_log2(const Spec& spec);

// Returns how many ciphertexts one record of a controller fills.
std::int64_t ciphertexts_per_record(const Spec& spec, int controller);

}  // namespace pgmpc
