// The part of the study spec that says what is computed: "analyses", or "analysis" as the short form of one entry of
// it.
#pragma once
#include <nlohmann/json.hpp>

#include "json/spec_reader.h"
#include "study/spec.h"

namespace pgmpc {

// Needs the controllers, the release and the disclosure rules of the spec.
void read_analyses(Spec& spec, const SpecReader& root);
nlohmann::json filled_analysis(const AnalysisEntry& entry);

}  // namespace pgmpc
