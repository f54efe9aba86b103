// The prime field of all shares, p = 2^127 - 1 (Mersenne: reduction is a shift and an add).
//
// Terms
// element: a canonical representative in [0, p). A signed integer x with |x| < 2^126 is carried as x mod p.
//
// Invariants
// Every Fp that leaves a function is canonical. No operation branches on a value or indexes by it.
#pragma once
#include <cstdint>
#include <cstring>

#include "base/secret.h"

namespace pgmpc {

using u128 = unsigned __int128;
using i128 = __int128;

inline constexpr u128 kPrime = (static_cast<u128>(1) << 127) - 1;

struct Fp {
  u128 v = 0;

  constexpr Fp() = default;
  // x: any value below 2^128.
  static constexpr Fp reduce(u128 x) {
    x = (x & kPrime) + (x >> 127);
    return canonical(x);
  }
  static constexpr Fp from_signed(i128 x) {
    return canonical(static_cast<u128>(x) + (kPrime & -static_cast<u128>(x < 0)));
  }
  static constexpr Fp from_int(std::int64_t x) { return from_signed(x); }
  // The signed integer of smallest magnitude in this residue class.
  constexpr i128 to_signed() const {
    return static_cast<i128>(v) - static_cast<i128>(kPrime & -static_cast<u128>(v > (kPrime >> 1)));
  }

  friend constexpr Fp operator+(Fp a, Fp b) { return canonical(a.v + b.v); }
  friend constexpr Fp operator-(Fp a, Fp b) { return canonical(a.v + (kPrime - b.v)); }
  friend constexpr Fp operator-(Fp a) { return canonical(kPrime - a.v); }
  friend constexpr Fp operator*(Fp a, Fp b);
  Fp& operator+=(Fp b) { return *this = *this + b; }
  Fp& operator-=(Fp b) { return *this = *this - b; }
  Fp& operator*=(Fp b) { return *this = *this * b; }
  friend constexpr bool operator==(Fp a, Fp b) { return a.v == b.v; }

 private:
  // For x in [0, 2p]: subtracts p without a branch unless x is below p.
  static constexpr Fp canonical(u128 x) {
    Fp out;
    u128 y = x - kPrime;  // wraps below zero when x < p: top bit set
    u128 keep = static_cast<u128>(0) - (y >> 127);
    out.v = (x & keep) | (y & ~keep);
    return out;
  }
};

// The product of two 127-bit numbers, folded once: 2^127 = 1 (mod p). The result is below 2^128.
constexpr u128 multiply_folded(u128 a, u128 b) {
  const std::uint64_t a0 = static_cast<std::uint64_t>(a), a1 = static_cast<std::uint64_t>(a >> 64);
  const std::uint64_t b0 = static_cast<std::uint64_t>(b), b1 = static_cast<std::uint64_t>(b >> 64);
  const u128 low = static_cast<u128>(a0) * b0;
  const u128 mid1 = static_cast<u128>(a0) * b1, mid2 = static_cast<u128>(a1) * b0;  // each < 2^127
  const u128 high = static_cast<u128>(a1) * b1;                                     // < 2^126
  const u128 mid = mid1 + mid2;                                                     // < 2^128
  const u128 sum = low + (mid << 64);
  const u128 carry = sum < low ? 1 : 0;
  const u128 top = high + (mid >> 64) + carry;  // product = top * 2^128 + sum, top < 2^126
  return (sum & kPrime) + ((top << 1) | (sum >> 127));
}

constexpr Fp operator*(Fp a, Fp b) { return Fp::reduce(multiply_folded(a.v, b.v)); }

// A sum of 128-bit numbers with either sign, reduced once at the end. It keeps the low 128 bits and counts how often
// they overflowed (2^128 = 2 mod p). It starts at 0 = (p - 2^63) + 2^62 * 2, so the count stays positive: at most 2^62
// terms.
struct FpSum {
  u128 low = kPrime - (static_cast<u128>(1) << 63);
  std::uint64_t carries = std::uint64_t{1} << 62;
  constexpr void add(u128 x) { carries += __builtin_add_overflow(low, x, &low); }
  constexpr void subtract(u128 x) { carries -= __builtin_sub_overflow(low, x, &low); }
  constexpr Fp value() const { return Fp::reduce((low & kPrime) + (low >> 127) + (static_cast<u128>(carries) << 1)); }
};

constexpr Fp power(Fp base, u128 exponent) {
  Fp out = Fp::reduce(1);
  for (; exponent != 0; exponent >>= 1) {
    if (exponent & 1) out = out * base;
    base = base * base;
  }
  return out;
}

// The multiplicative inverse, for public values only. The exponent is fixed, the cost 250 multiplications. inverse(0) =
// 0.
constexpr Fp inverse(Fp a) { return power(a, kPrime - 2); }

using FpVector = SecretVector<Fp>;

inline constexpr std::size_t kFpBytes = 16;  // little-endian on the wire

inline void store(Fp x, std::uint8_t* out) { std::memcpy(out, &x.v, kFpBytes); }
// Takes any 16 bytes and reduces the value, so a peer cannot send a non-canonical element.
inline Fp load(const std::uint8_t* in) {
  u128 x;
  std::memcpy(&x, in, kFpBytes);
  return Fp::reduce(x);
}
static_assert(sizeof(Fp) == kFpBytes);

}  // namespace pgmpc
