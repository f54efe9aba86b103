// Lasso, ridge and elastic net of a numeric outcome, for one lambda or several, as kinds of analysis.
#pragma once
#include <memory>

#include "analysis/analysis.h"
#include "analysis/penalised/fit.h"

namespace pgmpc {

// Reads an entry of "analyses" (analysis/registry.h). Keys: kind, lambda, alpha, standardize, comparison,
// max_iterations.
std::shared_ptr<const Analysis> read_penalised(const nlohmann::json& value, const std::string& pointer,
                                               const SpecContext& around);
std::shared_ptr<const Analysis> make_penalised(PenalisedSettings settings);

// Returns the cost of one analysis in step 8, without what the analyses share (analysis/cost.h).
Cost penalised_cost(const PlannedStudy& study, std::size_t attributes, const PenalisedSettings& settings);

}  // namespace pgmpc
