// The registry of the kinds of analysis.
#pragma once
#include <memory>

#include "analysis/analysis.h"
#include "json/spec_reader.h"

namespace pgmpc {

// Reads one entry of "analyses". Every kind accepts the keys attributes and outcome, which study/spec_analyses.cpp
// reads. pointer: its JSON pointer, for errors. Throws Error(invalid_parameter), or Error(not_supported) for a kind that
// is reserved for a later version.
std::shared_ptr<const Analysis> read_analysis(const nlohmann::json& value, const std::string& pointer,
                                              const SpecContext& around);

}  // namespace pgmpc
