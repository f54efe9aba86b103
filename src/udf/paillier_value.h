// Defines the SQL values of the Paillier types and the contexts that a backend keeps for their keys.
//
// Terms
// A payload is the bytes of a value without its varlena header:
//   public key   PaillierPublicKey::encode
//   private key  PaillierPrivateKey::encode
//   ciphertext   u8 version 1, u16 scale, N (bits/8 bytes), c (2*bits/8 bytes)
// The text form is tag, ':', payload in hex; the tags are pp1 (public key), ps1 (private, secret key), pc1
// (ciphertext).
//
// Invariants
// A value is validated when it enters the database (text or binary input). Afterwards only its structure is checked.
// Contexts are found by the key's bytes and hold no mpz_t between calls. They stay in this backend's memory until it
// ends or contexts of newer keys replace them.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/paillier.h"

namespace pgmpc {

inline constexpr std::string_view kPublicKeyTag = "pp1:";
inline constexpr std::string_view kPrivateKeyTag = "ps1:";
inline constexpr std::string_view kCiphertextTag = "pc1:";

// Error(invalid_text) with the name of the type when the text has another tag or is no hex.
SecretBytes payload_of_text(std::string_view text, std::string_view tag, const char* type);
SecretVector<char> text_of_payload(ByteView payload, std::string_view tag);

// The parts of a ciphertext, as views into the payload.
struct CiphertextView {
  int scale;
  ByteView n, c;
};
// Checks only version, scale and size. Error(invalid_text).
CiphertextView parse_ciphertext(ByteView payload);
Bytes ciphertext_payload(int scale, ByteView n, ByteView c);
// Error(invalid_parameter), which names both, when the keys or the scales differ.
void check_same_kind(const CiphertextView& left, const CiphertextView& right);
void check_same_key(ByteView left_n, const char* left, ByteView right_n, const char* right);

// Validate an incoming payload completely. Error(invalid_text) names the type.
void validate_public_key(ByteView payload);
void validate_private_key(ByteView payload);
void validate_ciphertext(ByteView payload);

struct EncryptionContext {
  explicit EncryptionContext(ByteView public_key);
  PaillierPublicKey key;
  PaillierMaskEncryptor encryptor;
  PaillierEvaluator evaluator;
};

struct DecryptionContext {
  explicit DecryptionContext(ByteView private_key);
  PaillierPrivateKey key;
  PaillierDecryptor decryptor;
};

// Each returns the cached context of the key, or makes it. A reference is valid until calls with other keys replace the
// context.
EncryptionContext& encryption_context(ByteView public_key);
DecryptionContext& decryption_context(ByteView private_key);
// For operations on ciphertexts that need only N.
PaillierEvaluator& evaluation_context(ByteView n);

// For operations on single values, which take milliseconds: no threads, no cancellation during one.
ThreadPool& calling_thread();
const CancelToken& never_cancelled();
// For key generation: follows the query's cancellation.
const CancelToken& query_cancellation();

}  // namespace pgmpc
