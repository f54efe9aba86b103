// A hash of a multiset of digests that does not depend on their order: the sum of their expansions, lane by lane.
//
// Terms
// digest: a SHA-256 value.
// expansion: the AES-256-CTR key stream under the digest as the key, from block 0 on.
// lane: 32 bits of it.
// sum: 512 lanes, each added modulo 2^32. It takes 2 KB, whatever the number of digests.
//
// Security
// Nobody finds two multisets with the same sum, not even with chosen values and known keys. The expansion is taken for
// a random function (Bellare, Micciancio 1997, "A new paradigm for collision-free hashing"; lanes as in Lewi, Kim,
// Maykov, Weis 2019, "Securing update propagation with homomorphic hashing"):
// - each digest at most once: the generalised birthday search (Wagner 2002, "A generalized birthday problem") over B
//   bits costs at least 2^(2 sqrt(B)), 2^256 for B = 16384. For a sum of B = 256 bits it is 2^32;
// - repeated digests, up to 2^24 in all: a vector of norm 2^19 in a lattice of determinant 2^16384. It needs a root
//   Hermite factor of 1.0037, about 2^128 operations (core-SVP estimate). Lanes of 16 bits would not do: 2^16 copies
//   of anything add up to 0;
// - what remains is a collision of SHA-256: 2^128.
// A sum is as secret as the digests in it: keep it, or give it to a keyed hash.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/bytes.h"
#include "crypto/keyed_hash.h"

namespace pgmpc {

using Lanes = std::array<std::uint32_t, 512>;

// sum += term, each lane modulo 2^32.
void add_lanes(Lanes& sum, const Lanes& term);

// Expands digests and adds them up. One object serves many sums, but only one thread (one OpenSSL context).
class LaneAdder {
 public:
  LaneAdder();
  ~LaneAdder();
  LaneAdder(const LaneAdder&) = delete;
  LaneAdder& operator=(const LaneAdder&) = delete;
  void add(Lanes& sum, const Hash& digest);

 private:
  void* context_;  // EVP_CIPHER_CTX, cleansed by OpenSSL when freed
  Lanes term_;
};

// The digest of a person and a value. The person is a keyed hash of 32 bytes, otherwise Error(internal). -0 counts as
// 0.
Hash digest_of_pair(ByteView person, double value);

// HMAC-SHA-256 of the purpose, the context, the number of digests and their sum.
Hash keyed_hash_of_sum(ByteView key, std::string_view purpose, std::initializer_list<std::string_view> context,
                       std::uint64_t count, const Lanes& sum);

}  // namespace pgmpc
