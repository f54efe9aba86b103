// Whether a result that a peer gives is one of this study.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>

#include "study/spec.h"

namespace pgmpc {

// result: {"matched": ..., "relations": [{"analysis", "relation", "rows"}, ...]}. Any JSON is taken.
bool accepts_result(const Spec& spec, std::int64_t matched, const nlohmann::json& result);

}  // namespace pgmpc
