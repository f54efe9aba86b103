// Lasso, ridge and elastic net of a numeric outcome, for one lambda or several: the room's entry in the registry.
#pragma once
#include <memory>

#include "analysis/analysis.h"
#include "analysis/penalised/fit.h"

namespace pgmpc {

// Keys: kind, lambda, alpha, standardize, comparison, max_iterations.
std::shared_ptr<const Analysis> read_penalised(const nlohmann::json& value, const std::string& pointer,
                                               const SpecAround& around);
std::shared_ptr<const Analysis> make_penalised(PenalisedSettings settings);

// Of step 8 without what analyses share (analysis/cost.h), for so many attributes.
Cost penalised_cost(const PlannedStudy& study, std::size_t attributes, const PenalisedSettings& settings);

}  // namespace pgmpc
