// What: the keyed digest of a source, which pins its contents to the approval of a study.
// Terms: source key = 32 random bytes of this node, in a file of its private directory, made when first needed.
// Invariants: the digest does not depend on the order of the records; equal digests mean equal multisets of complete
//             records (HMAC-SHA-256 per record, added mod 2^256); without the key it says nothing about them. The key
//             never leaves the node: base backups skip its file, dumps do not contain it.
#pragma once
#include "crypto/keyed_hash.h"
#include "study/protocol.h"
#include "worker/message.h"

namespace pgmpc {

// The source key, made when there is none yet.
SecretBytes source_key();

// sum += hash, mod 2^256: a digest of a set that does not depend on its order. Little-endian limbs.
using HashSum = std::array<std::uint64_t, 4>;
void add_hash(HashSum& sum, const Hash& hash);

class SourceDigest {
 public:
  SourceDigest();
  void add(const Source& part);
  Hash finish() const;
  std::uint64_t records() const { return records_; }

 private:
  SecretBytes key_;
  KeyedHasher hasher_;
  HashSum sum_{};
  std::uint64_t records_ = 0;
};

// Error(wrong_state) unless the source is the one that was approved.
void require_approved_source(const Json& job, const Source& source);

}  // namespace pgmpc
