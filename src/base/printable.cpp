#include "base/printable.h"

#include <cstdint>

namespace pgmpc {

namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t size = 0;  // in bytes; 0: not UTF-8
};

Character first_character(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = at(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t size = lead >= 0xf0 && lead <= 0xf4  ? 4
                           : lead >= 0xe0 && lead < 0xf0 ? 3
                           : lead >= 0xc2 && lead < 0xe0 ? 2
                                                         : 0;
  if (size == 0 || text.size() < size) return {};
  std::uint32_t code = lead & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (at(i) & 0x3fu);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {code, size};
}

bool printable(std::uint32_t code) {
  struct Range {
    std::uint32_t first, last;
  };
  // Controls; soft hyphen; direction marks and embeddings; separators, joiners; byte order mark; tags; private use.
  constexpr Range kOthers[] = {{0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
                               {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},   {0xe000, 0xf8ff},
                               {0xfeff, 0xfeff}, {0xfff0, 0xffff}, {0xe0000, 0x10ffff}};
  for (const Range& range : kOthers)
    if (code >= range.first && code <= range.last) return false;
  return true;
}

}  // namespace

std::string printable_text(std::string_view text, std::size_t most) {
  constexpr std::string_view kEllipsis = "...";
  std::string out;
  std::size_t characters = 0, cut = 0;  // cut: bytes of out before the last characters, which the ellipsis replaces
  bool space = false;
  while (!text.empty()) {
    const Character next = first_character(text);
    const std::size_t size = next.size == 0 ? 1 : next.size;
    if (next.size == 0 || !printable(next.code) || next.code == ' ') {
      space = !out.empty();
    } else {
      const std::size_t needed = space ? 2 : 1;
      if (characters + needed > most) return out.substr(0, cut).append(kEllipsis.substr(0, most));
      if (space) out += ' ';
      out.append(text.substr(0, size));
      characters += needed;
      if (characters + kEllipsis.size() <= most) cut = out.size();
      space = false;
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace pgmpc
