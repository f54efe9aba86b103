// Step 2 of the protocol: the joint key of the two controllers and the keyed hashes of their identifiers (rule F19).
//
// Terms
// half: the 32 random bytes of one controller.
// joint key: HKDF((half_0 + half_1) mod 2^256 as 32 bytes big-endian, salt = sid, info = "pg_mpc join v1").
// pseudonyms: the hashes of all records in hash order.
//
// Invariants
// The sum is always 32 bytes, also with leading zeros or a carry out of the top. sid holds a nonce of every party, so
// no party can fix the key to an old one. Nothing here depends on the other party's data.
#pragma once
#include <cstdint>
#include <span>

#include "base/cancel.h"
#include "base/limits.h"
#include "base/rng.h"
#include "base/secret.h"
#include "base/thread_pool.h"
#include "crypto/keyed_hash.h"

namespace pgmpc {

class JointKey {
 public:
  JointKey(const SecretArray<32>& half_0, const SecretArray<32>& half_1, const Hash& sid);
  // A fresh key of this node alone, to count duplicates before anything is sent.
  explicit JointKey(Rng& rng);
  // The controllers exchange this value before hashing, never with the third party. So unequal keys are an error, not
  // an empty join.
  Hash check_value() const;
  ByteView view() const { return key_.view(); }
  void wipe() noexcept { key_.wipe(); }

 private:
  SecretArray<32> key_;
};

struct Pseudonyms {
  SecretBytes hashes;                // 32 bytes per record, ascending
  SecretVector<std::uint32_t> rows;  // rows[i] = the source record of hash i
  std::uint64_t duplicates = 0;      // records whose identifier occurred before
};

// The identifier of record r is the bytes ends[r-1] .. ends[r] of identifiers, with parts encoded by append_part.
// Throws Error(limit_exceeded) above 2^32 - 2 records, Error(cancelled).
Pseudonyms pseudonymise(const JointKey& key, ByteView identifiers, std::span<const std::uint64_t> ends,
                        ThreadPool& pool, const CancelToken& cancel);

// Counts records whose identifier occurs earlier in the source. It uses a key of its own and runs before anything is
// sent (rule F8).
std::uint64_t count_duplicates(ByteView identifiers, std::span<const std::uint64_t> ends, Rng& rng, ThreadPool& pool,
                               const CancelToken& cancel);

}  // namespace pgmpc
