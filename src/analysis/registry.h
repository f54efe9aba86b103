// The kinds of analysis that there are.
#pragma once
#include <memory>

#include "analysis/analysis.h"
#include "json/spec_reader.h"

namespace pgmpc {

// value: an entry of "analyses" at this JSON pointer, without the keys that all kinds have (attributes, outcome).
// Error(invalid_parameter), or Error(not_supported) for a kind that a later version has.
std::shared_ptr<const Analysis> read_analysis(const nlohmann::json& value, const std::string& pointer,
                                              const SpecAround& around);

}  // namespace pgmpc
