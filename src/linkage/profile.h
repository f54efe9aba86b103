// What the identifiers of a source look like, for the user who is about to bind it: lengths, leading zeros, blanks,
// characters beyond ASCII, shapes, and what their form refuses.
//
// Terms
// shape: the text with 9 for a digit, A for a letter and ? for what is neither blank nor printable ASCII, cut after 24
// characters.
//
// Invariants
// This is the node's own data, shown to its owner only. Shapes of fewer than 10 records are counted together, because a
// rare one can be one person. Memory does not grow with the records: at most 1000 shapes are distinguished.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "linkage/forms.h"

namespace pgmpc {

class PartProfile {
 public:
  static constexpr std::int64_t kLeastRecords = 10;

  void see(ByteView text, Refusal refusal);
  std::int64_t records = 0, shortest = 0, longest = 0;  // lengths in characters
  std::int64_t leading_zeros = 0, blanks = 0, non_ascii = 0;
  std::array<std::int64_t, kRefusalNames.size()> refused{};  // by Refusal
  std::int64_t refused_in_all() const;
  // For example "999999999 (280), A9 (12), others (3)": most frequent first, at most 8.
  std::string shapes() const;
  // For example "check digit 3, empty 1".
  std::string reasons() const;

 private:
  std::map<std::string, std::int64_t> shapes_;
};

}  // namespace pgmpc
