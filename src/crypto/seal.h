// The two primitives of crypto/sealed_channel.h: X25519 key agreement (RFC 7748) and AES-256-GCM (SP 800-38D).
//
// Terms
// sealed: the ciphertext followed by the 16-byte tag.
// aad: associated data, which is authenticated but not sent.
//
// Invariants
// A private key lives in one object and is cleansed with it. The caller never uses a nonce twice with one key (the
// channel counts messages).
#pragma once
#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/rng.h"
#include "base/secret.h"

struct evp_cipher_ctx_st;  // OpenSSL's EVP_CIPHER_CTX

namespace pgmpc {

inline constexpr std::size_t kSealTag = 16;
using SealNonce = std::array<std::uint8_t, 12>;
using AgreementPublic = std::array<std::uint8_t, 32>;

class AgreementKey {
 public:
  explicit AgreementKey(Rng& rng);  // a fresh X25519 key pair
  explicit AgreementKey(SecretArray<32> private_key);
  const AgreementPublic& public_key() const { return public_key_; }
  // Throws Error(protocol_violation) for a public key of small order.
  SecretArray<32> agree(const AgreementPublic& peer) const;
  void wipe() noexcept { private_key_.wipe(); }

 private:
  void derive_public();
  SecretArray<32> private_key_;
  AgreementPublic public_key_{};
};

// A key for one direction. One thread at a time.
class SealKey {
 public:
  explicit SealKey(const SecretArray<32>& key);
  ~SealKey();
  SealKey(const SealKey&) = delete;
  SealKey& operator=(const SealKey&) = delete;
  // seal and open work in the memory of the message. A message without room for the tag (base/channel.h, kMessageRoom)
  // is copied once, and the original is cleansed.
  Bytes seal(const SealNonce& nonce, ByteView aad, Bytes message);
  // Returns nothing when the tag does not match; the decrypted bytes are then cleansed.
  std::optional<Bytes> open(const SealNonce& nonce, ByteView aad, Bytes sealed);

 private:
  evp_cipher_ctx_st* context_;  // OpenSSL cleanses the key schedule when it frees the context
};

}  // namespace pgmpc
