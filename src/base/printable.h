// What: text that somebody else wrote, made fit to be shown: one line of printable characters of bounded length.
#pragma once
#include <string>
#include <string_view>

namespace pgmpc {

// Control characters, line breaks, characters without a width of their own or that turn the direction of writing, and
// bytes that are no UTF-8 become spaces; runs of spaces become one. At most `most` characters, the last one an ellipsis
// ("...") when something was cut off.
std::string printable_text(std::string_view text, std::size_t most);

}  // namespace pgmpc
