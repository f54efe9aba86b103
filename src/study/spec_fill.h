// What: the filled document of a spec: every key of its format, defaults written out.
#pragma once
#include <string>

#include "study/spec.h"

namespace pgmpc {

// Canonical JSON.
std::string filled_spec(const Spec& spec);

}  // namespace pgmpc
