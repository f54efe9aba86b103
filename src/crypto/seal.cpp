// Implements crypto/seal.h with OpenSSL's EVP interface.
#include "crypto/seal.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/channel.h"
#include "base/error.h"
#include "base/witness.h"

namespace pgmpc {

namespace {

using KeyHandle = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using AgreementHandle = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;

static_assert(kMessageRoom == kSealTag);
constexpr std::size_t kPiece = std::size_t{1} << 30;  // EVP counts bytes in an int

void expect(int result, const char* what) {
  if (result != 1) throw Error(ErrorCode::internal, what);
}

KeyHandle private_handle(const SecretArray<32>& key) {
  KeyHandle handle(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, key.data(), key.size()), EVP_PKEY_free);
  if (!handle) throw Error(ErrorCode::internal, "X25519 is not available");
  return handle;
}

using Update = int (*)(EVP_CIPHER_CTX*, unsigned char*, int*, const unsigned char*, int);

// GCM is a stream mode: the output has the size of the input. out is null for associated data.
void update(Update step, EVP_CIPHER_CTX* context, std::uint8_t* out, ByteView in) {
  for (std::size_t done = 0; done < in.size();) {
    const std::size_t part = std::min(in.size() - done, kPiece);
    int written = 0;
    expect(step(context, out == nullptr ? nullptr : out + done, &written, in.data() + done, static_cast<int>(part)),
           "AES-256-GCM failed");
    done += part;
  }
}

}  // namespace

AgreementKey::AgreementKey(Rng& rng) {
  rng.fill(private_key_.span());
  witness("agreement key", private_key_.view());
  derive_public();
}

AgreementKey::AgreementKey(SecretArray<32> private_key) : private_key_(std::move(private_key)) { derive_public(); }

void AgreementKey::derive_public() {
  const KeyHandle handle = private_handle(private_key_);
  std::size_t size = public_key_.size();
  expect(EVP_PKEY_get_raw_public_key(handle.get(), public_key_.data(), &size), "X25519 key derivation failed");
}

SecretArray<32> AgreementKey::agree(const AgreementPublic& peer) const {
  const KeyHandle own = private_handle(private_key_);
  const KeyHandle other(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer.data(), peer.size()), EVP_PKEY_free);
  const AgreementHandle context(EVP_PKEY_CTX_new(own.get(), nullptr), EVP_PKEY_CTX_free);
  if (!other || !context) throw Error(ErrorCode::internal, "X25519 is not available");
  SecretArray<32> shared;
  std::size_t size = shared.size();
  expect(EVP_PKEY_derive_init(context.get()), "X25519 is not available");
  // OpenSSL refuses an all-zero agreement, which points of small order produce.
  if (EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1 ||
      EVP_PKEY_derive(context.get(), shared.data(), &size) != 1 || size != shared.size())
    throw Error(ErrorCode::protocol_violation, "a peer sent an X25519 key that cannot be used");
  return shared;
}

SealKey::SealKey(const SecretArray<32>& key) : context_(EVP_CIPHER_CTX_new()) {
  if (context_ == nullptr || EVP_CipherInit_ex(context_, EVP_aes_256_gcm(), nullptr, key.data(), nullptr, 1) != 1) {
    EVP_CIPHER_CTX_free(context_);
    throw Error(ErrorCode::internal, "AES-256-GCM is not available");
  }
}

SealKey::~SealKey() { EVP_CIPHER_CTX_free(context_); }

Bytes SealKey::seal(const SealNonce& nonce, ByteView aad, Bytes message) {
  expect(EVP_EncryptInit_ex(context_, nullptr, nullptr, nullptr, nonce.data()), "AES-256-GCM failed");
  int written = 0;
  const std::size_t size = message.size();
  if (message.capacity() < size + kSealTag) {
    Bytes larger;
    larger.reserve(size + kSealTag);
    larger.assign(message.begin(), message.end());
    cleanse(message.data(), size);
    message = std::move(larger);
  }
  update(EVP_EncryptUpdate, context_, nullptr, aad);
  update(EVP_EncryptUpdate, context_, message.data(), message);
  message.resize(size + kSealTag);
  expect(EVP_EncryptFinal_ex(context_, message.data() + size, &written), "AES-256-GCM failed");
  expect(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kSealTag, message.data() + size), "AES-256-GCM failed");
  return message;
}

std::optional<Bytes> SealKey::open(const SealNonce& nonce, ByteView aad, Bytes sealed) {
  if (sealed.size() < kSealTag) return std::nullopt;
  const std::size_t size = sealed.size() - kSealTag;
  expect(EVP_DecryptInit_ex(context_, nullptr, nullptr, nullptr, nonce.data()), "AES-256-GCM failed");
  expect(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kSealTag, sealed.data() + size), "AES-256-GCM failed");
  std::array<std::uint8_t, 16> rest;
  int written = 0;
  update(EVP_DecryptUpdate, context_, nullptr, aad);
  update(EVP_DecryptUpdate, context_, sealed.data(), ByteView(sealed).first(size));
  if (EVP_DecryptFinal_ex(context_, rest.data(), &written) != 1) {
    cleanse(sealed.data(), size);
    return std::nullopt;
  }
  sealed.resize(size);
  return sealed;
}

}  // namespace pgmpc
