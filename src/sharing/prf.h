// What: the pseudorandom function behind pseudorandom sharing (Cramer-Damgard-Ishai, TCC 2005): AES-128 with a
//       secret key applied to 16-byte blocks. One key never sees the same block twice (label.h guarantees it).
#pragma once
#include <span>

#include "base/secret.h"
#include "sharing/field.h"

namespace pgmpc {

// AES-128 in bulk: one object per key, not thread-safe (one OpenSSL context).
class BlockCipher {
 public:
  explicit BlockCipher(ByteView key16);
  ~BlockCipher();
  BlockCipher(BlockCipher&& other) noexcept;
  BlockCipher& operator=(BlockCipher&&) = delete;
  // out may equal in. Sizes: multiples of 16, the same.
  void encrypt(std::span<const std::uint8_t> in, std::span<std::uint8_t> out);

 private:
  void* context_;  // EVP_CIPHER_CTX, cleansed by OpenSSL when freed
};

}  // namespace pgmpc
