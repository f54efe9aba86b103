// Code points of UTF-8 text in memory that is cleansed.
#pragma once
#include <optional>

#include "base/secret.h"

namespace pgmpc {

using SecretCodePoints = SecretVector<char32_t>;

// Returns nothing when the bytes are not well-formed UTF-8 (Unicode 15, table 3-7).
std::optional<SecretCodePoints> code_points(ByteView bytes);
void append_utf8(SecretBytes& out, char32_t code);

bool is_blank(char32_t code);      // white space of any width, no-break spaces, line ends
bool is_invisible(char32_t code);  // joiners, soft hyphens, direction marks
bool is_mark(char32_t code);       // combining diacritical marks, U+0300 to U+036F

}  // namespace pgmpc
