#include "crypto/secret_process.h"

#include <gmp.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/cleansing_heap.h"
#include "base/secret.h"

namespace pgmpc {

namespace {

constexpr std::size_t kOpenSslGrain = 32;
constexpr int kOverwrite = 0x5a;

// GMP cannot handle an allocation failure. This ends the process, as GMP's own allocator does.
void* take(std::size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) std::abort();
  return block;
}

void give_back(void* block, std::size_t size) {
  cleanse(block, size);
  std::free(block);
}

void* move(void* old, std::size_t old_size, std::size_t new_size) {
  void* block = take(new_size);
  std::memcpy(block, old, std::min(old_size, new_size));
  give_back(old, old_size);
  return block;
}

}  // namespace

void become_secret_process() noexcept {
  prctl(PR_SET_DUMPABLE, 0);
  cleanse_freed_memory();
  mp_set_memory_functions(take, move, give_back);
  // If it is refused (no locked memory left), OpenSSL stays on its ordinary heap, which it cleanses itself.
  (void)CRYPTO_secure_malloc_init(kOpenSslSecureBytes, kOpenSslGrain);
  // The C library overwrites what others free, among them the server's memory contexts that held rows of the source.
  // Blocks below 1 kB are not overwritten: the library keeps them for reuse.
  mallopt(M_PERTURB, kOverwrite);
}

}  // namespace pgmpc
