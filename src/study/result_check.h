// Checks whether a result from a peer has the form that this study releases.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>

#include "study/spec.h"

namespace pgmpc {

// result: {"matched": ..., "relations": [{"analysis", "relation", "rows"}, ...]}. Returns false for any other JSON.
// Throws nothing because of its form.
bool accepts_result(const Spec& spec, std::int64_t matched, const nlohmann::json& result);

}  // namespace pgmpc
