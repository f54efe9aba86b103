// What: what each step does to the data: which status it has then and what the step destroys. explain() says it before
//       the study, the rows of the steps say it afterwards, in the same words.
// Invariant: a running step takes its list only after it has destroyed everything in it (Run::destroyed).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "study/spec.h"

namespace pgmpc {

// personal, pseudonymised, anonymous or aggregate; none for a third party that has no data yet. At the end of a
// rehearsal no party has any: none, whatever the step.
const char* data_status(int step, bool third_party);

// The items, as people read them. Empty for a step that destroys nothing, and for one that the party does not have.
std::vector<std::string> destroyed_in(const Spec& spec, std::string_view step, bool third_party);
// Of a rehearsal, which ends with the match.
std::vector<std::string> destroyed_in_rehearsal(std::string_view step, bool third_party);

}  // namespace pgmpc
