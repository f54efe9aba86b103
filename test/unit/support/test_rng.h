// A deterministic Rng for tests: the AES-256-CTR keystream of a seed. Two generators with the same seed give the same
// bytes, so a failing run can be repeated.
//
// Threads
// Any thread may draw. The order of the threads then decides which of them gets which bytes.
#pragma once
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <mutex>
#include <stdexcept>

#include "base/rng.h"

namespace pgmpc {

class TestRng final : public Rng {
 public:
  explicit TestRng(std::uint64_t seed) : context_(EVP_CIPHER_CTX_new()) {
    std::array<std::uint8_t, 32> key{};
    for (int i = 0; i < 8; ++i) key[i] = static_cast<std::uint8_t>(seed >> (8 * i));
    const std::array<std::uint8_t, 16> counter{};
    if (EVP_EncryptInit_ex(context_, EVP_aes_256_ctr(), nullptr, key.data(), counter.data()) != 1)
      throw std::runtime_error("AES-256-CTR is not available");
  }
  ~TestRng() override { EVP_CIPHER_CTX_free(context_); }
  TestRng(const TestRng&) = delete;
  TestRng& operator=(const TestRng&) = delete;

  void fill(std::span<std::uint8_t> out) override {
    std::lock_guard lock(mutex_);
    while (!out.empty()) {
      const std::size_t part = std::min<std::size_t>(out.size(), std::size_t{1} << 20);
      std::fill_n(out.begin(), part, std::uint8_t{0});
      int written = 0;
      if (EVP_EncryptUpdate(context_, out.data(), &written, out.data(), static_cast<int>(part)) != 1)
        throw std::runtime_error("AES-256-CTR failed");
      out = out.subspan(part);
    }
  }

 private:
  std::mutex mutex_;
  EVP_CIPHER_CTX* context_;
};

}  // namespace pgmpc
