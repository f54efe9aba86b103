// What: keyed hashing and key derivation: HMAC-SHA-256 (RFC 2104, RFC 4231 vectors) and HKDF-SHA-256 (RFC 5869).
#pragma once
#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"

namespace pgmpc {

using Hash = std::array<std::uint8_t, 32>;

Hash sha256(ByteView message);
Hash keyed_hash(ByteView key, ByteView message);  // HMAC-SHA-256, any key length

// HKDF extract and expand. Output size <= 255*32.
SecretBytes hkdf(ByteView input_key, ByteView salt, std::string_view info, std::size_t size);

// HMAC-SHA-256 with one key for many messages: the key schedule is computed once. Thread-safe for const use.
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
