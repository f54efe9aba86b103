#include "base/secret.h"

#include <openssl/crypto.h>

namespace pgmpc {

void cleanse(void* memory, std::size_t size) noexcept {
  if (memory != nullptr && size != 0) OPENSSL_cleanse(memory, size);
}

bool equal_constant_time(ByteView a, ByteView b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace pgmpc
