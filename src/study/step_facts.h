// Lists the steps of each role, and says what each of them does to the data: the data status during the step, and what
// the step destroys. explain() shows it before the study and the step rows show it afterwards, in the same words.
//
// Invariants
// A running step takes its list only after everything in it has been destroyed (Run::destroyed).
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "study/spec.h"

namespace pgmpc {

// Returns the name of step 8: that of its analyses where all have the same, else "analyse".
std::string analysis_step(const Spec& spec);
// Returns numbers and names of a role's steps, in the order of step-by-step mode. last: the name of step 8.
std::vector<std::pair<int, std::string>> steps_of(bool third_party, const std::string& last);
// Tells whether a step of some study has this name.
bool is_step(std::string_view name);

// Returns personal, pseudonymised, anonymous or aggregate, or none for a third party in step 1. After a rehearsal no
// party holds data; Run::rehearsed() sets "none" itself.
const char* data_status(int step, bool third_party);

// Returns the destroyed items, for display. Empty for a step that destroys nothing or that the party does not run.
std::vector<std::string> destroyed_in(const Spec& spec, std::string_view step, bool third_party);
// The same for a rehearsal, which ends with the match.
std::vector<std::string> destroyed_in_rehearsal(std::string_view step, bool third_party);

}  // namespace pgmpc
