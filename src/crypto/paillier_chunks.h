// How both encryptors go through a batch.
// The caller's thread draws the randomness of a chunk, so a seeded run does not depend on threads. Then the pool
// encrypts the records of the chunk.
//
// Invariants
// At most one chunk of randomness exists at a time. It is cleansed when the call ends.
#pragma once
#include <algorithm>

#include "base/thread_pool.h"
#include "bignum/square_modulus.h"

namespace pgmpc {

// Tables has key, rng, random_size(), records_at_once() and encrypt(plaintexts, ciphertexts, random, records, pool,
// cancel).
template <typename Tables>
void encrypt_in_chunks(const Tables& t, ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
                       const CancelToken& cancel) {
  const std::size_t in = t.key.plaintext_size(), out = t.key.ciphertext_size(), random_size = t.random_size();
  const std::size_t records = batch_records(plaintexts.size(), in, ciphertexts.size(), out);
  SecretBytes random;
  for (std::size_t first = 0; first < records; first += t.records_at_once()) {
    const std::size_t count = std::min(t.records_at_once(), records - first);
    random.resize(count * random_size);
    t.rng.fill(random);
    t.encrypt(plaintexts.data() + first * in, ciphertexts.data() + first * out, random.data(), count, pool, cancel);
  }
}

}  // namespace pgmpc
