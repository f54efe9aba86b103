// Implements crypto/multiset_hash.h with OpenSSL's AES-256-CTR.
#include "crypto/multiset_hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace pgmpc {

void add_lanes(Lanes& sum, const Lanes& term) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += term[i];
}

LaneAdder::LaneAdder() : context_(EVP_CIPHER_CTX_new()) {
  auto* context = static_cast<EVP_CIPHER_CTX*>(context_);
  if (context == nullptr || EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), nullptr, nullptr, nullptr) != 1) {
    EVP_CIPHER_CTX_free(context);
    throw Error(ErrorCode::internal, "AES-256-CTR is not available");
  }
}

LaneAdder::~LaneAdder() {
  EVP_CIPHER_CTX_free(static_cast<EVP_CIPHER_CTX*>(context_));
  cleanse(term_.data(), sizeof term_);
}

void LaneAdder::add(Lanes& sum, const Hash& digest) {
  // The first counter block. A digest is used as a key for nothing else.
  static constexpr std::array<std::uint8_t, 16> kStart{};
  auto* context = static_cast<EVP_CIPHER_CTX*>(context_);
  auto* bytes = reinterpret_cast<std::uint8_t*>(term_.data());
  term_.fill(0);
  int written = 0;
  if (EVP_EncryptInit_ex(context, nullptr, nullptr, digest.data(), kStart.data()) != 1 ||
      EVP_EncryptUpdate(context, bytes, &written, bytes, sizeof term_) != 1 || written != sizeof term_)
    throw Error(ErrorCode::internal, "AES-256-CTR failed");
  add_lanes(sum, term_);
}

Hash digest_of_pair(ByteView person, double value) {
  std::array<std::uint8_t, sizeof(Hash) + 8> pair;  // on the stack, because there is one per value
  if (person.size() != sizeof(Hash)) throw Error(ErrorCode::internal, "a person has the wrong size");
  std::copy(person.begin(), person.end(), pair.begin());
  auto bits = std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value);
  for (std::size_t i = pair.size(); i-- > sizeof(Hash); bits >>= 8) pair[i] = static_cast<std::uint8_t>(bits);
  const Hash digest = sha256(pair);
  cleanse(pair.data(), pair.size());
  return digest;
}

Hash keyed_hash_of_sum(ByteView key, std::string_view purpose, std::initializer_list<std::string_view> context,
                       std::uint64_t count, const Lanes& sum) {
  Bytes message;
  Writer writer(message);
  writer.sized(view_of(purpose));
  for (const std::string_view part : context) writer.sized(view_of(part));
  writer.u64(count);
  for (const std::uint32_t lane : sum) writer.u32(lane);
  return keyed_hash(key, message);
}

}  // namespace pgmpc
