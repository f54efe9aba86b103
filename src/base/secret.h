// What: holders for everything that must be destroyed later (keys, seeds, masks, shares, hashed identifiers).
// Invariants: memory is cleansed (OPENSSL_cleanse) before it is given back, on every path including exceptions
//             and reallocation; holders cannot be copied by accident, printed or compared with ==.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace pgmpc {

void cleanse(void* memory, std::size_t size) noexcept;
// Constant time in the contents; false at once when the sizes differ (sizes are public).
bool equal_constant_time(ByteView a, ByteView b) noexcept;

// Allocator that cleanses before it frees: SecretVector never leaves a copy behind when it grows.
template <typename T>
struct CleansingAllocator {
  using value_type = T;
  CleansingAllocator() = default;
  template <typename U>
  CleansingAllocator(const CleansingAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) { return std::allocator<T>{}.allocate(n); }
  void deallocate(T* p, std::size_t n) noexcept {
    cleanse(p, n * sizeof(T));
    std::allocator<T>{}.deallocate(p, n);
  }
  bool operator==(const CleansingAllocator&) const noexcept { return true; }
};

// Bulk secrets (shares, masks, columns): a vector in use, but each copy is visible in the code through clone().
template <typename T>
class SecretVector : public std::vector<T, CleansingAllocator<T>> {
  using Base = std::vector<T, CleansingAllocator<T>>;

 public:
  using Base::Base;
  SecretVector() = default;
  SecretVector(SecretVector&&) noexcept = default;
  SecretVector& operator=(SecretVector&& other) noexcept {
    wipe();
    Base::swap(other);
    return *this;
  }
  SecretVector(const SecretVector&) = delete;
  SecretVector& operator=(const SecretVector&) = delete;
  SecretVector clone() const { return SecretVector(this->begin(), this->end()); }
  // Destroys the contents now: cleansed and freed.
  void wipe() noexcept {
    cleanse(this->data(), this->capacity() * sizeof(T));
    Base empty;
    Base::swap(empty);
  }
};

using SecretBytes = SecretVector<std::uint8_t>;

inline ByteView view_of(const SecretBytes& secret) { return {secret.data(), secret.size()}; }

// A key or seed of fixed size. Cleansed on destruction and on move; not copyable.
template <std::size_t N>
class SecretArray {
 public:
  SecretArray() noexcept { bytes_.fill(0); }
  ~SecretArray() { cleanse(bytes_.data(), N); }
  SecretArray(SecretArray&& other) noexcept : bytes_(other.bytes_) { cleanse(other.bytes_.data(), N); }
  SecretArray& operator=(SecretArray&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      cleanse(other.bytes_.data(), N);
    }
    return *this;
  }
  SecretArray(const SecretArray&) = delete;
  SecretArray& operator=(const SecretArray&) = delete;
  std::uint8_t* data() noexcept { return bytes_.data(); }
  const std::uint8_t* data() const noexcept { return bytes_.data(); }
  static constexpr std::size_t size() noexcept { return N; }
  std::span<std::uint8_t> span() noexcept { return bytes_; }
  ByteView view() const noexcept { return bytes_; }
  void wipe() noexcept { cleanse(bytes_.data(), N); }

 private:
  std::array<std::uint8_t, N> bytes_;
};

}  // namespace pgmpc
