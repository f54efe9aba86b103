// Computes what a node keeps of a source that it bound to a study: keyed digests of its persons, and one commitment per
// column. By the commitments, the counterpart recognises the same data in a later study.
//
// Terms
// A person is a record's identifier under the source key (source_digest.h): 16 bytes that mean nothing without the key,
// and by which two sources of this node find the same person. The counterpart is the other controller of the study. The
// commitment of a column is a keyed hash of the counterpart's name, the column's name and all pairs of person and value
// without missing values, in any order (crypto/multiset_hash.h). Equal commitments mean equal contents.
//
// Security
// Commitments leave the node. They are HMAC-SHA-256 under the source key, which hides the contents from everybody else.
// They also bind their owner, who knows that key. They differ for every counterpart, so that two counterparts cannot
// compare them.
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
  // Reads the source key, made when there is none yet. Error(internal) when its file cannot be used.
 public:
  SourceContents(std::string counterpart, std::vector<std::string> columns);
  // Called for every record with an identifier. A missing value is NaN.
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

// Returns the keyed hash of a text under the source key: the commitment to an approval as a whole.
Hash commitment_of(std::string_view text);

}  // namespace pgmpc
