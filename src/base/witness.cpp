#define OPENSSL_SUPPRESS_DEPRECATED  // for the plain SHA-256 functions, as in crypto/keyed_hash.cpp
#include "base/witness.h"

#ifdef PG_MPC_WITNESS
#include <fcntl.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/secret.h"

namespace pgmpc {

namespace {

constexpr std::size_t kPath = 512;

constexpr char kStateOf[] = "HMAC state of ";

enum class Leak { nothing, secret, hmac_state };

// The content of a file that the test has put into the directory; empty when there is no such file.
struct Wish {
  char text[kPath] = {};
  Wish(const char* directory, const char* name) {
    char path[kPath];
    std::snprintf(path, sizeof path, "%s/%s", directory, name);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    if (read(file, text, sizeof text - 1) <= 0) text[0] = '\0';
    close(file);
  }
};

Leak leak_of(const char* directory, const char* name) {
  const Wish wish(directory, "leak");
  const char* wanted = wish.text;
  if (std::strcmp(wanted, name) == 0) return Leak::secret;
  const std::size_t prefix = sizeof kStateOf - 1;
  const bool state = std::strncmp(wanted, kStateOf, prefix) == 0 && std::strcmp(wanted + prefix, name) == 0;
  return state ? Leak::hmac_state : Leak::nothing;
}

// A copy that is never freed and never cleansed, whichever secret it holds.
void keep_copy(ByteView bytes) {
  void* copy = std::malloc(bytes.size());
  if (copy == nullptr) std::abort();
  std::memcpy(copy, bytes.data(), bytes.size());
  static void* volatile kept;
  kept = copy;
}

void keep_hmac_state(ByteView key) {
  std::uint8_t block[SHA256_CBLOCK];
  std::memset(block, 0x36, sizeof block);
  for (std::size_t i = 0; i < key.size() && i < sizeof block; ++i) block[i] ^= key[i];
  SHA256_CTX state;
  SHA256_Init(&state);
  SHA256_Update(&state, block, sizeof block);
  keep_copy({reinterpret_cast<const std::uint8_t*>(state.h), sizeof state.h});
  cleanse(block, sizeof block);
  cleanse(&state, sizeof state);
}

// Appends both parts to the file of this process whose name begins with the prefix.
void append(const char* directory, const char* prefix, ByteView header, ByteView bytes) {
  char path[kPath];
  std::snprintf(path, sizeof path, "%s/%s%d", directory, prefix, static_cast<int>(getpid()));
  const int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  iovec parts[] = {{const_cast<std::uint8_t*>(header.data()), header.size()},
                   {const_cast<std::uint8_t*>(bytes.data()), bytes.size()}};
  const bool whole = writev(file, parts, 2) == static_cast<ssize_t>(header.size() + bytes.size());
  close(file);
  if (!whole) std::abort();  // otherwise the test would miss a secret
}

}  // namespace

void witness_wire(ByteView message) noexcept {
  const char* directory = std::getenv("PG_MPC_WITNESS");
  if (directory != nullptr) append(directory, "wire.", {}, message);
}

void witness(const char* name, ByteView secret) noexcept {
  const char* directory = std::getenv("PG_MPC_WITNESS");
  if (directory == nullptr) return;
  char header[kPath];
  const int size = std::snprintf(header, sizeof header, "%s\t%zu\n", name, secret.size());
  append(directory, "", {reinterpret_cast<const std::uint8_t*>(header), static_cast<std::size_t>(size)}, secret);
  const Leak leak = leak_of(directory, name);
  if (leak == Leak::secret) keep_copy(secret);
  if (leak == Leak::hmac_state) keep_hmac_state(secret);
  if (std::strcmp(Wish(directory, "stop").text, name) == 0) kill(getpid(), SIGSTOP);
}

}  // namespace pgmpc
#endif
