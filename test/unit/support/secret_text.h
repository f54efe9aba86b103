// Text of tests as the secret bytes that functions on identifiers take.
#pragma once
#include <string_view>

#include "base/secret.h"

namespace pgmpc::test {

inline SecretBytes secret_text(std::string_view text) { return SecretBytes(text.begin(), text.end()); }

}  // namespace pgmpc::test
