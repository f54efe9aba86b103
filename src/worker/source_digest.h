// Computes the keyed digest of a source, which pins its contents to the approval of a study.
//
// Terms
// The source key is 32 random bytes of this node, in a file of its private directory, made when first needed.
//
// Invariants
// The digest does not depend on the order of the records. Equal digests mean equal multisets of complete records
// (crypto/multiset_hash.h).
//
// Security
// Without the key the digest says nothing about the records. The key never leaves the node: base backups skip its file,
// and dumps do not contain it. The node compares the digest only with itself, but commitments to other parties rely on
// it. Commitments are made when a study is approved. Only this digest shows that the engine reads the same data when it
// starts. It therefore binds its owner, who knows the key, like the commitments do.
#pragma once
#include "crypto/multiset_hash.h"
#include "protocol/protocol.h"
#include "worker/message.h"

namespace pgmpc {

// Returns the source key, made when there is none yet. Error(internal) when its file cannot be read or written.
SecretBytes source_key();

class SourceDigest {
  // Usage: add() every part of the source, then finish(). Incomplete records are skipped.
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

// Error(wrong_state) unless the source is the one that was approved for the study of the job.
void require_approved_source(const Json& job, const Source& source);

}  // namespace pgmpc
