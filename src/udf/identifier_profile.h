// Profile of the identifiers of a source while it is scanned, as JSON for SQL.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "linkage/profile.h"
#include "worker/engine_source.h"

namespace pgmpc {

class IdentifierProfile {
 public:
  explicit IdentifierProfile(std::size_t parts) : parts_(parts) {}
  void add(const Source& part);
  SeePart see() {
    return [this](std::size_t part, ByteView text, Refusal refusal) { parts_[part].see(text, refusal); };
  }
  // Surplus records of an identifier, incomplete ones included. Sorts what it has of them, 16 bytes a record.
  std::int64_t duplicates();
  // {"nulls", "refused", "duplicates", "parts": [{"records", "refused", "reasons", "shortest", "longest",
  // "leading_zeros", "blanks", "non_ascii", "shapes"}]}; ASCII.
  std::string json(std::int64_t duplicates) const;

 private:
  std::vector<PartProfile> parts_;
  SecretVector<std::array<std::uint8_t, 16>> seen_;  // of a hash
  std::int64_t dropped_ = 0, refused_ = 0;
};

}  // namespace pgmpc
