// Keyed hashing and key derivation: HMAC-SHA-256 (RFC 2104, test vectors of RFC 4231) and HKDF-SHA-256 (RFC 5869).
#pragma once
#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"

namespace pgmpc {

using Hash = std::array<std::uint8_t, 32>;

Hash sha256(ByteView message);
Hash keyed_hash(ByteView key, ByteView message);  // HMAC-SHA-256 with a key of any length

// HKDF, extract and expand. size: 1 to 255 * 32 bytes, otherwise Error(internal).
SecretBytes hkdf(ByteView input_key, ByteView salt, std::string_view info, std::size_t size);

// HMAC-SHA-256 with one key for many messages: the key is processed once. hash() may run on many threads.
class KeyedHasher {
 public:
  explicit KeyedHasher(ByteView key);
  ~KeyedHasher();
  KeyedHasher(const KeyedHasher&) = delete;
  KeyedHasher& operator=(const KeyedHasher&) = delete;
  void hash(ByteView message, std::span<std::uint8_t, 32> out) const;

 private:
  struct Context;
  Context* context_;
};

}  // namespace pgmpc
