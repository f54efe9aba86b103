// Says what a study will do in sentences, one text per party, for the person who has to approve it.
//
// Invariants
// Every fact comes from the rows of explain(), in their words. Nothing depends on any party's data or counts. So all
// nodes show the same three texts for a spec.
#pragma once
#include <string>
#include <vector>

#include "study/spec.h"

namespace pgmpc {

struct PartyText {
  std::string party, text;
};

// Returns one text per party: the controllers in byte order of their names, then the third party.
std::vector<PartyText> explain_text(const Spec& spec);

}  // namespace pgmpc
