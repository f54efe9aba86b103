// What a node keeps of a source that it bound to a study: keyed digests of its persons, and a commitment per column by
// which the counterpart recognises the same data in a later study.
//
// Terms
//   person = a record's identifier under the source key (source_digest.h): 16 bytes that mean nothing without it, and
//   by which two sources of this node find the same person; counterpart = the other controller of the study; commitment
//   of a column = keyed hash of the counterpart's name, the column's name and all pairs of person and value in which
//   the value is not missing, in any order (crypto/multiset_hash.h). Equal commitments mean equal contents.
//
// Security
//   Commitments leave the node. They are HMAC-SHA-256 under the source key: they hide the contents from everybody else,
//   bind their owner to them, who knows that key, and are different for every counterpart, so that two counterparts
//   cannot compare them.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "crypto/multiset_hash.h"
#include "worker/source_digest.h"

namespace pgmpc {

inline constexpr std::size_t kPersonBytes = 16;

class SourceContents {
 public:
  SourceContents(std::string counterpart, std::vector<std::string> columns);
  // Told every record with an identifier; value is NaN where it is missing.
  using Take = std::function<void(ByteView person, std::span<const double> values)>;
  void add(const Source& part, const Take& take);
  std::vector<Hash> commitments() const;

 private:
  struct Column {
    std::string name;
    Lanes sum{};
    std::uint64_t values = 0;
  };
  SecretBytes key_;
  KeyedHasher hasher_;
  LaneAdder adder_;
  std::string counterpart_;
  std::vector<Column> columns_;
};

// Keyed hash of a text under the source key: what an approval commits to as a whole.
Hash commitment_of(std::string_view text);

}  // namespace pgmpc
