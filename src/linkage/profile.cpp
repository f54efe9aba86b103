#include "linkage/profile.h"

#include <algorithm>

#include "linkage/latin_letters.h"
#include "linkage/utf8.h"

namespace pgmpc {
namespace {

constexpr std::size_t kMostShapes = 1000, kShownShapes = 8, kShapeLength = 24;
const std::string kOthers;

char shape_of(char32_t c) {
  if (c >= '0' && c <= '9') return '9';
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || latin_letter(c) != nullptr) return 'A';
  if (is_blank(c)) return ' ';
  return c > ' ' && c < 0x7F ? static_cast<char>(c) : '?';
}

}  // namespace

void PartProfile::see(ByteView text, Refusal refusal) {
  refused[static_cast<std::size_t>(refusal)]++;
  const auto characters = code_points(text);
  const auto length = static_cast<std::int64_t>(characters ? characters->size() : text.size());
  shortest = records == 0 ? length : std::min(shortest, length);
  longest = std::max(longest, length);
  records++;
  if (!characters) return;
  if (!characters->empty() && characters->front() == '0') leading_zeros++;
  if (std::any_of(characters->begin(), characters->end(), is_blank)) blanks++;
  if (std::any_of(characters->begin(), characters->end(), [](char32_t c) { return c >= 0x80; })) non_ascii++;
  std::string shape;
  for (std::size_t i = 0; i < characters->size() && i < kShapeLength; i++) shape += shape_of((*characters)[i]);
  if (characters->size() > kShapeLength) shape += "...";
  if (auto known = shapes_.find(shape); known != shapes_.end()) {
    known->second++;
  } else {
    shapes_[shapes_.size() < kMostShapes ? shape : kOthers]++;
  }
}

std::int64_t PartProfile::refused_in_all() const { return records - refused[static_cast<std::size_t>(Refusal::kept)]; }

std::string PartProfile::shapes() const {
  std::vector<std::pair<std::int64_t, std::string>> frequent;
  std::int64_t others = 0;
  for (const auto& [shape, count] : shapes_)
    if (count >= kLeastRecords && !shape.empty())
      frequent.emplace_back(-count, shape);
    else
      others += count;
  std::sort(frequent.begin(), frequent.end());
  std::string out;
  for (std::size_t i = 0; i < frequent.size(); i++) {
    if (i >= kShownShapes)
      others -= frequent[i].first;
    else
      out += (out.empty() ? "" : ", ") + frequent[i].second + " (" + std::to_string(-frequent[i].first) + ")";
  }
  if (others > 0) out += (out.empty() ? "others (" : ", others (") + std::to_string(others) + ")";
  return out;
}

std::string PartProfile::reasons() const {
  std::string out;
  for (std::size_t reason = 1; reason < refused.size(); reason++)
    if (refused[reason] > 0)
      out += (out.empty() ? "" : ", ") + std::string(kRefusalNames[reason]) + " " + std::to_string(refused[reason]);
  return out;
}

}  // namespace pgmpc
