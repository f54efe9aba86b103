// Durations as text for messages.
#pragma once
#include <chrono>
#include <string>

namespace pgmpc {

// "20 s" for whole seconds, otherwise "1500 ms".
inline std::string duration_text(std::chrono::milliseconds time) {
  auto ms = time.count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace pgmpc
