// Holders for everything that must be destroyed later: keys, seeds, masks, shares, hashed identifiers.
//
// Invariants
// Memory is cleansed before it is freed, on every path, exceptions and reallocation included. The compiler cannot
// remove the overwriting with zeros.
// Holders cannot be copied by accident or printed.
// Keys and seeds lie in the locked arena. Bulk data exceeds the usual limit of locked memory; large blocks of it are
// left out of dumps.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/locked_arena.h"

namespace pgmpc {

void cleanse(void* memory, std::size_t size) noexcept;
// Keeps the whole pages of a large block out of core files. Blocks below 1 MiB are left alone, because each costs a
// mapping of its own.
void exclude_from_dumps(void* memory, std::size_t size) noexcept;
// Takes constant time in the contents. Returns false at once when the sizes differ: sizes are public.
bool equal_constant_time(ByteView a, ByteView b) noexcept;

// An allocator that cleanses before it frees, so a SecretVector leaves no copy behind when it grows.
template <typename T>
struct CleansingAllocator {
  using value_type = T;
  CleansingAllocator() = default;
  template <typename U>
  CleansingAllocator(const CleansingAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) {
    T* block = std::allocator<T>{}.allocate(n);
    exclude_from_dumps(block, n * sizeof(T));
    return block;
  }
  void deallocate(T* p, std::size_t n) noexcept {
    cleanse(p, n * sizeof(T));
    std::allocator<T>{}.deallocate(p, n);
  }
  bool operator==(const CleansingAllocator&) const noexcept { return true; }
};

// Bulk secrets (shares, masks, columns). It is used like a vector, but each copy is visible in the code as clone().
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
  // Destroys the contents now: cleanses and frees them.
  void wipe() noexcept {
    cleanse(this->data(), this->capacity() * sizeof(T));
    Base empty;
    Base::swap(empty);
  }
};

using SecretBytes = SecretVector<std::uint8_t>;

inline ByteView view_of(const SecretBytes& secret) { return {secret.data(), secret.size()}; }

// A key or seed of fixed size, in the locked arena of the process. It cannot be copied, and a move hands over the
// block, so only one copy exists. A moved-from object holds nothing and may only be destroyed, wiped or assigned to.
template <std::size_t N>
class SecretArray {
 public:
  SecretArray() : bytes_(static_cast<std::uint8_t*>(process_arena().allocate(N))) {}
  ~SecretArray() { process_arena().release(bytes_, N); }
  SecretArray(SecretArray&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}
  SecretArray& operator=(SecretArray&& other) noexcept {
    if (this != &other) {
      process_arena().release(bytes_, N);
      bytes_ = std::exchange(other.bytes_, nullptr);
    }
    return *this;
  }
  SecretArray(const SecretArray&) = delete;
  SecretArray& operator=(const SecretArray&) = delete;
  std::uint8_t* data() noexcept { return bytes_; }
  const std::uint8_t* data() const noexcept { return bytes_; }
  static constexpr std::size_t size() noexcept { return N; }
  std::span<std::uint8_t> span() noexcept { return {bytes_, N}; }
  ByteView view() const noexcept { return {bytes_, N}; }
  void wipe() noexcept { cleanse(bytes_, N); }

 private:
  std::uint8_t* bytes_;
};

}  // namespace pgmpc
