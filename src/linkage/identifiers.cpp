// Implements linkage/identifiers.h.
#include "linkage/identifiers.h"

#include <algorithm>

#include "base/error.h"

namespace pgmpc {

namespace {

constexpr std::size_t kMaxPart = 64 * 1024;

bool is_space(std::uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(std::uint8_t c) { return c >= '0' && c <= '9'; }

void trim(SecretBytes& part) {
  const auto first = std::find_if_not(part.begin(), part.end(), is_space);
  part.erase(part.begin(), first);
  while (!part.empty() && is_space(part.back())) part.pop_back();
}

void upper(SecretBytes& part) {
  for (std::uint8_t& c : part)
    if (c >= 'a' && c <= 'z') c = static_cast<std::uint8_t>(c - 'a' + 'A');
}

void keep_digits(SecretBytes& part) {
  part.erase(std::remove_if(part.begin(), part.end(), [](std::uint8_t c) { return !is_digit(c); }), part.end());
}

}  // namespace

Normalisation parse_normalisation(std::string_view name) {
  if (name == "trim") return Normalisation::trim;
  if (name == "upper") return Normalisation::upper;
  if (name == "digits") return Normalisation::digits;
  throw Error(ErrorCode::invalid_parameter, "unknown normalisation \"" + std::string(name) + "\"", {},
              "Use trim, upper or digits.");
}

std::vector<Normalisation> parse_normalisations(std::span<const std::string> names) {
  std::vector<Normalisation> rules;
  for (const std::string& name : names) rules.push_back(parse_normalisation(name));
  return rules;
}

Refusal normalise_part(SecretBytes& part, PartType type, std::span<const Normalisation> rules) {
  // With a sign or a fraction, the digits alone would be the number of another person. NaN and Infinity belong to no
  // person.
  const bool digits = std::find(rules.begin(), rules.end(), Normalisation::digits) != rules.end();
  if (type == PartType::number && digits &&
      !std::all_of(part.begin(), part.end(), [](std::uint8_t c) { return is_digit(c); }))
    return Refusal::shape;
  if (type == PartType::number && !part.empty() && !is_digit(part.back())) return Refusal::stands_for_none;
  for (Normalisation rule : rules) {
    switch (rule) {
      case Normalisation::trim:
        trim(part);
        break;
      case Normalisation::upper:
        upper(part);
        break;
      case Normalisation::digits:
        keep_digits(part);
        break;
    }
  }
  return part.empty() ? Refusal::empty : Refusal::kept;
}

void append_part(SecretBytes& identifiers, ByteView part) {
  if (part.size() > kMaxPart)
    throw Error(ErrorCode::limit_exceeded, "an identifier is longer than 64 kB",
                "One part of it has " + std::to_string(part.size()) + " bytes.",
                "Name the column that identifies a person.");
  const auto size = static_cast<std::uint32_t>(part.size());
  for (int shift = 24; shift >= 0; shift -= 8) identifiers.push_back(static_cast<std::uint8_t>(size >> shift));
  identifiers.insert(identifiers.end(), part.begin(), part.end());
}

}  // namespace pgmpc
