// What: holders for everything that must be destroyed later (keys, seeds, masks, shares, hashed identifiers).
// Invariants: memory is cleansed (zeros that no compiler drops) before it is given back, on every path including
//             exceptions and reallocation; holders cannot be copied by accident, printed or compared with ==. Keys and
//             seeds lie in the locked arena; bulk is too much for the usual limit of locked memory, large blocks of it
//             are left out of dumps.
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
// Keeps whole pages of a block out of core files; small blocks are left alone (each costs a mapping of its own).
void exclude_from_dumps(void* memory, std::size_t size) noexcept;
// Constant time in the contents; false at once when the sizes differ (sizes are public).
bool equal_constant_time(ByteView a, ByteView b) noexcept;

// Allocator that cleanses before it frees: SecretVector never leaves a copy behind when it grows.
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

// A key or seed of fixed size, in the locked arena of the process. Not copyable; a move hands the block over, so that
// there is only ever one copy. A moved-from object holds nothing and may only be destroyed, wiped or assigned to.
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
