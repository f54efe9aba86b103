// Writes the filled document of a spec: every key of its format, with defaults.
#pragma once
#include <string>

#include "study/spec.h"

namespace pgmpc {

// Returns canonical JSON (RFC 8785).
std::string filled_spec(const Spec& spec);

}  // namespace pgmpc
