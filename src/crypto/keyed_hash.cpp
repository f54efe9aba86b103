// Implements crypto/keyed_hash.h: HKDF through OpenSSL's EVP_KDF, HMAC through copies of the SHA-256 block state.
// The state is copied after it has absorbed the padded key. That takes a few hundred nanoseconds per identifier and
// allocates nothing. The low-level SHA-256 interface is deprecated in OpenSSL 3, but its state is a plain struct. EVP
// contexts allocate at every copy, which is most of the time for 32-byte messages.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/keyed_hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/witness.h"

namespace pgmpc {

struct KeyedHasher::Context {
  SHA256_CTX inner, outer;  // states after the key block
  ~Context() { cleanse(this, sizeof *this); }
};

namespace {

constexpr std::size_t kBlock = 64;

void absorb_padded(SHA256_CTX& state, const SecretArray<kBlock>& key, std::uint8_t pad) {
  SecretArray<kBlock> block;
  for (std::size_t i = 0; i < kBlock; ++i) block.data()[i] = key.data()[i] ^ pad;
  SHA256_Init(&state);
  SHA256_Update(&state, block.data(), kBlock);
}

}  // namespace

Hash sha256(ByteView message) {
  Hash out;
  SHA256(message.data(), message.size(), out.data());
  return out;
}

KeyedHasher::KeyedHasher(ByteView key) : context_(new Context) {
  SecretArray<kBlock> block;  // zero padded
  if (key.size() > kBlock)
    SHA256(key.data(), key.size(), block.data());
  else
    std::copy(key.begin(), key.end(), block.data());
  absorb_padded(context_->inner, block, 0x36);
  absorb_padded(context_->outer, block, 0x5c);
}

KeyedHasher::~KeyedHasher() { delete context_; }

void KeyedHasher::hash(ByteView message, std::span<std::uint8_t, 32> out) const {
  SHA256_CTX state = context_->inner;
  std::array<std::uint8_t, 32> inner;  // on the stack, because there is one per identifier
  SHA256_Update(&state, message.data(), message.size());
  SHA256_Final(inner.data(), &state);
  state = context_->outer;
  SHA256_Update(&state, inner.data(), inner.size());
  SHA256_Final(out.data(), &state);
  cleanse(&state, sizeof state);
  cleanse(inner.data(), inner.size());
}

Hash keyed_hash(ByteView key, ByteView message) {
  Hash out;
  KeyedHasher(key).hash(message, out);
  return out;
}

SecretBytes hkdf(ByteView input_key, ByteView salt, std::string_view info, std::size_t size) {
  if (size == 0 || size > 255 * 32) throw Error(ErrorCode::internal, "a derived key has an invalid size");
  std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr), EVP_KDF_free);
  std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr,
                                                                    EVP_KDF_CTX_free);
  if (!context) throw Error(ErrorCode::internal, "HKDF is not available");
  char digest[] = "SHA256";
  std::uint8_t none = 0;  // OpenSSL wants a pointer even when the size is 0
  const auto octets = [&none](const char* name, ByteView bytes) {
    void* data = bytes.empty() ? &none : const_cast<std::uint8_t*>(bytes.data());
    return OSSL_PARAM_construct_octet_string(name, data, bytes.size());
  };
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, input_key),
      octets(OSSL_KDF_PARAM_SALT, salt),
      octets(OSSL_KDF_PARAM_INFO, view_of(info)),
      OSSL_PARAM_construct_end(),
  };
#ifdef PG_MPC_WITNESS
  // The key that HKDF extracts and then expands. Derivations without a salt are of public values.
  if (!salt.empty()) {
    Hash extracted = keyed_hash(salt, input_key);
    witness("key within HKDF", extracted);
    cleanse(extracted.data(), extracted.size());
  }
#endif
  SecretBytes out(size);
  if (EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) != 1)
    throw Error(ErrorCode::internal, "key derivation failed");
  return out;
}

}  // namespace pgmpc
