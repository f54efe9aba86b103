// What: how both encryptors go through a batch: randomness for a chunk is drawn on the caller's thread (so that a
// seeded
//       run does not depend on threads), then the pool encrypts the chunk's records.
// Invariant: at most one chunk of randomness exists at a time, cleansed when the call ends.
#pragma once
#include <algorithm>

#include "base/thread_pool.h"
#include "crypto/square_modulus.h"

namespace pgmpc {

// Tables: key, rng, random_size() and encrypt(plaintexts, ciphertexts, random, records).
template <typename Tables>
void encrypt_in_chunks(const Tables& t, ByteView plaintexts, std::span<std::uint8_t> ciphertexts, ThreadPool& pool,
                       const CancelToken& cancel) {
  const std::size_t in = t.key.plaintext_size(), out = t.key.ciphertext_size(), random_size = t.random_size();
  const std::size_t records = batch_records(plaintexts.size(), in, ciphertexts.size(), out);
  SecretBytes random;
  for (std::size_t first = 0; first < records; first += kPaillierChunk) {
    const std::size_t count = std::min(kPaillierChunk, records - first);
    random.resize(count * random_size);
    t.rng.fill(random);
    pool.for_ranges(count, kPaillierGrain, cancel, [&](std::size_t begin, std::size_t end) {
      t.encrypt(plaintexts.data() + (first + begin) * in, ciphertexts.data() + (first + begin) * out,
                random.data() + begin * random_size, end - begin);
    });
  }
}

}  // namespace pgmpc
