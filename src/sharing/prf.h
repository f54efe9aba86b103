// The pseudorandom function behind pseudorandom sharing: AES-128 with a secret key, applied to 16-byte blocks.
// One key never sees the same block twice (mpc/label.h guarantees it, rule F1).
//
// Source
// Cramer, Damgard, Ishai, TCC 2005.
#pragma once
#include <span>

#include "base/secret.h"
#include "sharing/field.h"

namespace pgmpc {

// AES-128 in bulk. One object per key, used by one thread at a time (one OpenSSL context). Throws Error(internal).
class BlockCipher {
 public:
  explicit BlockCipher(ByteView key16);
  ~BlockCipher();
  BlockCipher(BlockCipher&& other) noexcept;
  BlockCipher& operator=(BlockCipher&&) = delete;
  // out may equal in. Both have the same size, a multiple of 16 bytes.
  void encrypt(std::span<const std::uint8_t> in, std::span<std::uint8_t> out);

 private:
  void* context_;  // EVP_CIPHER_CTX, cleansed by OpenSSL when freed
};

}  // namespace pgmpc
