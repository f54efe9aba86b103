// Makes text of unknown origin fit to be shown: one line of printable characters of bounded length.
#pragma once
#include <string>
#include <string_view>

namespace pgmpc {

// Returns at most `most` characters; "..." at the end when text was cut off. Spaces replace control characters, line
// breaks, zero-width characters, characters that change the writing direction, and bytes that are not UTF-8. Runs of
// spaces become one.
std::string printable_text(std::string_view text, std::size_t most);

}  // namespace pgmpc
