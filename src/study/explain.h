// What: what a study will do, told before anybody approves it: a row per step and party, and rows of step 0 that say
//       what is public, who has to be trusted, which disclosure rules hold and how much the openings can leak.
// Terms: estimate = a number worked out from the spec; NULL where the spec does not say enough.
//        Own records = the complete records of the source that this node has bound or looks at; pushed up to step 4, an
//        upper bound from step 5 on.
// Invariants: without own records a function of the spec only, so every party may read all rows; own_party then only
//             decides which party's rows come first. With them the numbers of own_party's rows follow its own count,
//             and so does one row of step 0 that says so; no row depends on the counts of any other party (rule F5).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "study/spec.h"

namespace pgmpc {

inline constexpr const char* kNothing = "nothing";

// What some of the parties learn in a step.
struct Learning {
  std::string who;           // as people read it: "third party", "all", names
  std::vector<int> parties;  // who that is
  std::string what;
};

struct ExplainRow {
  int step = 0;        // 1 to 8 as in the protocol; 0 for what concerns the study as a whole
  std::string name;    // prepare, agree_key, scramble, push, match, mask, unmask, share, lasso; for step 0 the subject
  std::string party;   // who acts; empty: all
  std::string peer;    // who receives; empty: nobody, or both others
  std::string sends;   // kNothing, or what it is
  std::string learns;  // what others learn, all of learned in words; for step 0 the statement
  std::vector<Learning> learned;
  std::optional<std::int64_t> records;
  std::optional<std::int64_t> bytes;
  std::optional<std::int64_t> rounds;
  std::optional<double> seconds;
  std::string data_status;  // personal, pseudonymised, anonymous, aggregate
  std::vector<std::string> destroyed;
};

// own_party: 0, 1, 2, or -1 for a reader that takes no part. own_records: of a controller, its own; others have none.
std::vector<ExplainRow> explain(const Spec& spec, int own_party,
                                const std::optional<std::int64_t>& own_records = std::nullopt);

// Base-2 logarithm of the planned statistical distance of everything that one fit after another opens.
double planned_exposure_log2(const Spec& spec);

// How many ciphertexts the columns of a controller fill.
std::int64_t ciphertexts_per_record(const Spec& spec, int controller);

}  // namespace pgmpc
