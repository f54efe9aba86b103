// Reads the part of the study spec that says what is computed: "analyses", or "analysis" as the short form of a single
// entry.
#pragma once
#include <nlohmann/json.hpp>

#include "json/spec_reader.h"
#include "study/spec.h"

namespace pgmpc {

// Adds the analyses to spec. Its controllers, release and disclosure rules must have been read. Throws
// Error(invalid_parameter) or Error(not_supported).
void read_analyses(Spec& spec, const SpecReader& root);
// Returns an entry with defaults written out.
nlohmann::json filled_analysis(const AnalysisEntry& entry);

}  // namespace pgmpc
