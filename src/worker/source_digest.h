// What: the keyed digest of a source, which pins its contents to the approval of a study.
// Terms: source key = 32 random bytes of this node, in a file of its private directory, made when first needed.
// Invariants: the digest does not depend on the order of the records; equal digests mean equal multisets of complete
//             records (crypto/multiset_hash.h); without the key it says nothing about them. The key never leaves the
//             node: base backups skip its file, dumps do not contain it.
// Security: the node compares the digest with itself only, but what others heard rests on it. Commitments are made when
//           a study is approved; that the engine reads the same data when it starts is known by this digest alone. So
//           it binds its owner, who knows the key, like the commitments do.
#pragma once
#include "crypto/multiset_hash.h"
#include "protocol/protocol.h"
#include "worker/message.h"

namespace pgmpc {

// The source key, made when there is none yet.
SecretBytes source_key();

class SourceDigest {
 public:
  SourceDigest();
  void add(const Source& part);
  Hash finish() const;
  std::uint64_t records() const { return records_; }

 private:
  SecretBytes key_;
  KeyedHasher hasher_;
  LaneAdder adder_;
  Lanes sum_{};
  std::uint64_t records_ = 0;
};

// Error(wrong_state) unless the source is the one that was approved.
void require_approved_source(const Json& job, const Source& source);

}  // namespace pgmpc
