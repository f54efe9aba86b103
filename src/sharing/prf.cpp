#include "sharing/prf.h"

#include <openssl/evp.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"

namespace pgmpc {

BlockCipher::BlockCipher(ByteView key16) : context_(EVP_CIPHER_CTX_new()) {
  auto* context = static_cast<EVP_CIPHER_CTX*>(context_);
  if (context == nullptr || key16.size() != 16 ||
      EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), nullptr, key16.data(), nullptr) != 1) {
    EVP_CIPHER_CTX_free(context);
    throw Error(ErrorCode::internal, "could not set up the block cipher");
  }
  EVP_CIPHER_CTX_set_padding(context, 0);
}

BlockCipher::~BlockCipher() { EVP_CIPHER_CTX_free(static_cast<EVP_CIPHER_CTX*>(context_)); }

BlockCipher::BlockCipher(BlockCipher&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

void BlockCipher::encrypt(std::span<const std::uint8_t> in, std::span<std::uint8_t> out) {
  constexpr std::size_t kMost = std::size_t{1} << 30;  // EVP counts bytes in an int
  for (std::size_t at = 0; at < in.size(); at += kMost) {
    const int size = static_cast<int>(std::min(kMost, in.size() - at));
    int written = 0;
    if (EVP_EncryptUpdate(static_cast<EVP_CIPHER_CTX*>(context_), out.data() + at, &written, in.data() + at, size) !=
            1 ||
        written != size)
      throw Error(ErrorCode::internal, "the block cipher failed");
  }
}

}  // namespace pgmpc
