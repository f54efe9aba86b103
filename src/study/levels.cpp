// Implements the names of the columns of categorical attributes.
#include "study/levels.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pgmpc {

namespace {
constexpr char kSeparator = ':';
constexpr std::size_t kMaxLevel = 63;
}  // namespace

std::string level_column(std::string_view attribute, std::string_view level) {
  return std::string(attribute) + kSeparator + std::string(level);
}

std::optional<Level> level_of(std::string_view column) {
  const std::size_t at = column.find(kSeparator);
  if (at == std::string_view::npos) return std::nullopt;
  return Level{std::string(column.substr(0, at)), std::string(column.substr(at + 1))};
}

std::string quoted_level(std::string_view level) { return nlohmann::json(level).dump(); }

std::string shown_column(std::string_view column) {
  const std::optional<Level> level = level_of(column);
  return level ? level->attribute + kSeparator + quoted_level(level->level) : std::string(column);
}

bool valid_level(std::string_view level) {
  if (level.empty() || level.size() > kMaxLevel || level.front() == ' ' || level.back() == ' ') return false;
  return std::all_of(level.begin(), level.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace pgmpc
