#include "json/depth.h"

namespace pgmpc {

namespace {
constexpr int kMaxDepth = 32;
}

bool json_too_deep(ByteView text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = static_cast<char>(text[i]);
    if (quoted && c == '\\')
      ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && (c == '{' || c == '[') && ++depth > kMaxDepth)
      return true;
    else if (!quoted && (c == '}' || c == ']'))
      --depth;
  }
  return false;
}

}  // namespace pgmpc
