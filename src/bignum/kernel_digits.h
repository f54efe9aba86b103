// Numbers as digits of fewer than 64 bits in the lanes of a part, as the vector kernels (IFMA, AVX2) use them.
//
// Terms
// As in bignum/kernel.h. digits: how many digits a number has.
#pragma once
#include <algorithm>

#include "bignum/kernel.h"

namespace pgmpc {

// x (n limbs) |= digit * 2^bit, where x has zeros from `bit` on. Bits above x are lost.
inline void add_bits(mp_limb_t* x, std::size_t n, std::size_t bit, std::uint64_t digit) {
  const std::size_t limb = bit / 64, shift = bit % 64;
  if (limb < n) x[limb] |= digit << shift;
  if (shift != 0 && limb + 1 < n) x[limb + 1] |= digit >> (64 - shift);
}

// Splits n limbs into the digits of one lane.
template <std::size_t kBits>
void load_lane(KernelWord* words, std::size_t lane, std::size_t digits, const mp_limb_t* x, std::size_t n) {
  for (std::size_t i = 0; i < digits; ++i) {
    const std::size_t limb = i * kBits / 64, shift = i * kBits % 64;
    mp_limb_t value = limb < n ? x[limb] >> shift : 0;
    if (shift > 64 - kBits && limb + 1 < n) value |= x[limb + 1] << (64 - shift);
    words[i].lane[lane] = value & ((std::uint64_t{1} << kBits) - 1);
  }
}

// Joins the digits of one lane into n limbs. Bits above them are lost.
template <std::size_t kBits>
void store_lane(mp_limb_t* x, std::size_t n, const KernelWord* words, std::size_t lane, std::size_t digits) {
  std::fill_n(x, n, mp_limb_t{0});
  for (std::size_t i = 0; i < digits; ++i) add_bits(x, n, i * kBits, words[i].lane[lane]);
}

// Stores the canonical pair of a lane whose first part is below 2 root and whose second part is below 3 root - 1. The
// first part needs one subtraction, which adds 1 to the second part; the second part needs two. scratch: 2n + 2 limbs.
template <std::size_t kBits>
void store_pair(mp_limb_t* pair, const KernelWord* batch, std::size_t lane, std::size_t digits, const Limbs& root,
                mp_limb_t* scratch) {
  const std::size_t n = root.size();
  mp_limb_t *x = scratch, *tmp = x + n + 1;
  store_lane<kBits>(x, n + 1, batch, lane, digits);
  const mp_limb_t gain = subtract_once(x, x[n], root.data(), n, tmp);
  std::copy_n(x, n, pair);
  store_lane<kBits>(x, n + 1, batch + digits, lane, digits);
  mpn_sec_add_1(x, x, static_cast<mp_size_t>(n + 1), gain, tmp);
  subtract_once(x, x[n], root.data(), n, tmp);
  subtract_once(x, x[n], root.data(), n, tmp);
  std::copy_n(x, n, pair + n);
}

// Joins sums of digits into a number of n limbs.
template <std::size_t kBits>
void store_digit_sums(mp_limb_t* number, std::size_t n, const std::uint64_t* sums, std::size_t digits) {
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kBits) - 1;
  std::fill_n(number, n, mp_limb_t{0});
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const std::uint64_t column = sums[i] + carry;
    add_bits(number, n, i * kBits, i + 1 < digits ? column & kMask : column);
    carry = column >> kBits;
  }
}

}  // namespace pgmpc
