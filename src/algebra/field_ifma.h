// Multiplies field elements with AVX512-IFMA: the part that the kernels of this directory share.
//
// Terms
// A digit is 52 bits of an element, which has 3 digits (52 + 52 + 23 bits). A vector holds the same digit of 8
// elements. A cell is 5 vectors of unreduced sums, with the weights 2^0, 2^52, ... 2^208. The product of two top digits
// has 46 bits, so it has no high half.
//
// Invariants
// One product adds at most 5 halves below 2^52 to a sum. 5 * 512 * 2^52 < 2^64, so a sum holds 512 products.
#pragma once
#include "bignum/kernel.h"
#include "bignum/kernel_ifma_tiles.h"

namespace pgmpc::ifma {

inline constexpr std::size_t kLanes = kKernelLanes, kDigits = 3, kSums = 5, kMostProducts = 512;
static_assert(kMostProducts * kSums < (std::uint64_t{1} << (64 - kDigitBits)));

// Splits 8 consecutive elements in memory into digits.
PGMPC_IFMA_INLINE void split_group(Vector* digits, const void* elements) {
  const Vector first = _mm512_loadu_si512(elements),
               second = _mm512_loadu_si512(static_cast<const char*>(elements) + 64);
  const Vector even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
  const Vector low = _mm512_permutex2var_epi64(first, even, second);
  const Vector high = _mm512_permutex2var_epi64(first, odd, second);
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  digits[0] = _mm512_and_si512(low, mask);
  digits[1] = _mm512_and_si512(
      _mm512_or_si512(_mm512_srli_epi64(low, kDigitBits), _mm512_slli_epi64(high, 64 - kDigitBits)), mask);
  digits[2] = _mm512_srli_epi64(high, 2 * kDigitBits - 64);
}

// cell += a * b, digit by digit. Unreduced: at most kMostProducts times per cell.
PGMPC_IFMA_INLINE void add_products(Vector* cell, const Vector* a, const Vector* b) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kDigits; ++i) {
#pragma GCC unroll 4
    for (std::size_t j = 0; j < kDigits; ++j) {
      cell[i + j] = add_low(cell[i + j], a[i], b[j]);
      if (i + j + 1 < kSums) cell[i + j + 1] = add_high(cell[i + j + 1], a[i], b[j]);
    }
  }
}

}  // namespace pgmpc::ifma
