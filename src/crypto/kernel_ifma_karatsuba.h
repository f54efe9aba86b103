// What: products of long numbers for the IFMA kernel by Karatsuba's method, one level: with halves x = l + h B and
//       y = l' + h' B the middle of x y is (l + h)(l' + h') - l l' - h h': three products of half the length, not four.
//       The multiply-adds that this saves go to the processor's scarcest unit; the additions go to others.
// Terms: as in kernel_ifma_tiles.h; half = 5K digits; B = 2^(52 * 5K).
// Invariants: digits of factors are below 2^52, so the sums l + h carry: what stands above a half is one bit per lane,
//             and is multiplied by masks. A sum of columns holds the product as a whole only: a single column may be
//             negative, as a number of 64 bits with a sign, and stays above -2^60 and below 2^60.
#pragma once
#include "crypto/kernel_ifma_tiles.h"

namespace pgmpc::ifma {

// From 60 digits on the additions are fewer than what is saved.
template <int K>
inline constexpr bool kKaratsuba = K % 2 == 0 && K >= 6;

// Vectors of scratch: the columns of a sum of products, and what it takes to make them.
template <int K>
inline constexpr int kKaratsubaScratch = kKaratsuba<K> ? (4 * kTile * K) + 1 : 0;

// out = the 20H columns of x * y, or with kAdd, out += them; factors of H tiles.
template <int H, bool kAdd>
PGMPC_IFMA __attribute__((noinline)) void product_columns(Vector* __restrict out, const Vector* x, const Vector* y) {
  Vector columns[2 * kTile];
  clear(columns, 2 * kTile);
  for (int s = 0; s < 2 * H - 1; ++s) {
    for (int i = s < H ? 0 : s - H + 1; i <= (s < H ? s : H - 1); ++i)
      add_product(columns, x + kTile * i, y + kTile * (s - i));
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i)
      out[kTile * s + i] = kAdd ? _mm512_add_epi64(out[kTile * s + i], columns[i]) : columns[i];
    shift_down(columns);
  }
  Vector* top = out + kTile * (2 * H - 1);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) top[i] = kAdd ? _mm512_add_epi64(top[i], columns[i]) : columns[i];
}

// out = both halves of x as one sum of digits below 2^52; returns the lanes that have a bit above.
template <int K>
PGMPC_IFMA_INLINE __mmask8 add_halves(Vector* __restrict out, const Vector* x) {
  constexpr int half = kTile * K / 2;
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  Vector carry = _mm512_setzero_si512();
  for (int i = 0; i < half; ++i) {
    const Vector sum = _mm512_add_epi64(_mm512_add_epi64(x[i], x[half + i]), carry);
    out[i] = _mm512_and_si512(sum, mask);
    carry = _mm512_srli_epi64(sum, kDigitBits);
  }
  return _mm512_test_epi64_mask(carry, carry);
}

// The two ends of x * y go, or are added, to `ends` (20K columns), the product of the sums of halves to `middle` (10K +
// 1 columns). sums: room for 10K digits.
template <int K, bool kAdd>
PGMPC_IFMA void add_karatsuba(Vector* __restrict ends, Vector* __restrict middle, Vector* __restrict sums,
                              const Vector* x, const Vector* y) {
  constexpr int half = kTile * K / 2, n = kTile * K;
  product_columns<K / 2, kAdd>(ends, x, y);
  product_columns<K / 2, kAdd>(ends + n, x + half, y + half);
  Vector *sum_x = sums, *sum_y = sums + half;
  const __mmask8 above_x = add_halves<K>(sum_x, x), above_y = add_halves<K>(sum_y, y);
  product_columns<K / 2, kAdd>(middle, sum_x, sum_y);
  for (int i = 0; i < half; ++i) {
    const Vector with_y = _mm512_mask_add_epi64(middle[half + i], above_x, middle[half + i], sum_y[i]);
    middle[half + i] = _mm512_mask_add_epi64(with_y, above_y, with_y, sum_x[i]);
  }
  if (!kAdd) middle[n] = _mm512_setzero_si512();
  middle[n] = _mm512_mask_add_epi64(middle[n], above_x & above_y, middle[n], _mm512_set1_epi64(1));
}

// The columns of x * y + x1 * y1, x1 may be null: 20K vectors at the beginning of scratch.
template <int K>
PGMPC_IFMA const Vector* karatsuba(Vector* scratch, const Vector* x, const Vector* y, const Vector* x1,
                                   const Vector* y1) {
  constexpr int half = kTile * K / 2, n = kTile * K;
  Vector *columns = scratch, *middle = columns + 2 * n, *sums = middle + n + 1;
  add_karatsuba<K, false>(columns, middle, sums, x, y);
  if (x1 != nullptr) add_karatsuba<K, true>(columns, middle, sums, x1, y1);
  for (int i = 0; i < n; ++i) middle[i] = _mm512_sub_epi64(middle[i], _mm512_add_epi64(columns[i], columns[n + i]));
  for (int i = 0; i <= n; ++i) columns[half + i] = _mm512_add_epi64(columns[half + i], middle[i]);
  return columns;
}

}  // namespace pgmpc::ifma
