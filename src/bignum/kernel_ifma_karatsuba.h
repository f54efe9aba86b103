// Products of long numbers for the IFMA kernel by Karatsuba's method.
// With halves x = l + h B and y = l' + h' B, the middle of x y is (l + h)(l' + h') - l l' - h h'. So three products of
// half the length replace four. Halves of three tiles, and numbers of three, use kernel_ifma_three.h. The method saves
// multiply-adds, for which the processor has the fewest units; the additions run on others.
//
// Terms
// As in kernel_ifma_tiles.h. half: 5K digits. B = 2^(52 * 5K).
//
// Invariants
// As in kernel_ifma_three.h. A column of the middle minus both ends stays within 240 * 2^52, with an end added within
// 320 * 2^52. Two such products and a reduction, which adds less than 320 * 2^52, stay within 2^62.
#pragma once
#include "bignum/kernel_ifma_three.h"

namespace pgmpc::ifma {

// From 30 digits on, the additions cost less than the multiplications that they save. A 3072-bit key uses numbers of
// three and of six tiles.
template <int K>
inline constexpr bool kKaratsuba = K == 3 || (K % 2 == 0 && K >= 6);

// Scratch in vectors: the columns of a sum of products, and the memory that computing them needs.
template <int K>
inline constexpr int kKaratsubaScratch = kKaratsuba<K> ? (4 * kTile * K) + 121 : 0;

// Writes or adds a tile of columns to out.
template <bool kAdd>
PGMPC_IFMA_INLINE void put(Vector* out, const Vector* columns) {
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) out[i] = kAdd ? _mm512_add_epi64(out[i], columns[i]) : columns[i];
}

// out = the columns of x * y, or with kAdd, out += them; factors of H tiles. scratch: 120 vectors.
template <int H, bool kAdd>
PGMPC_IFMA __attribute__((noinline)) void product_columns(Vector* __restrict out, const Vector* x, const Vector* y,
                                                          Vector* __restrict scratch) {
  if constexpr (H == 3) {
    const TileSums sums_x = add_tiles(scratch, x), sums_y = add_tiles(scratch + 3 * kTile, y);
    three_tile_columns<false, kAdd>(out, x, y, sums_x, sums_y, scratch + 6 * kTile);
  } else {
    Vector columns[2 * kTile];
    clear(columns, 2 * kTile);
    for (int s = 0; s < 2 * H - 1; ++s) {
      for (int i = s < H ? 0 : s - H + 1; i <= (s < H ? s : H - 1); ++i)
        add_product(columns, x + kTile * i, y + kTile * (s - i));
      put<kAdd>(out + kTile * s, columns);
      shift_down(columns);
    }
    put<kAdd>(out + kTile * (2 * H - 1), columns);
  }
}

// The sum of both halves of x, and of y, as digits below 2^52. above: the lanes whose sum has one more bit. The two
// carries are computed side by side.
struct HalfSums {
  Vector *x, *y;
  __mmask8 above_x, above_y;
};
template <int K>
PGMPC_IFMA_INLINE HalfSums add_halves(Vector* __restrict out, const Vector* x, const Vector* y) {
  constexpr int half = kTile * K / 2;
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  Vector carry_x = _mm512_setzero_si512(), carry_y = carry_x;
  for (int i = 0; i < half; ++i) {
    const Vector sum_x = _mm512_add_epi64(_mm512_add_epi64(x[i], x[half + i]), carry_x);
    const Vector sum_y = _mm512_add_epi64(_mm512_add_epi64(y[i], y[half + i]), carry_y);
    out[i] = _mm512_and_si512(sum_x, mask);
    out[half + i] = _mm512_and_si512(sum_y, mask);
    carry_x = _mm512_srli_epi64(sum_x, kDigitBits);
    carry_y = _mm512_srli_epi64(sum_y, kDigitBits);
  }
  return {out, out + half, _mm512_test_epi64_mask(carry_x, carry_x), _mm512_test_epi64_mask(carry_y, carry_y)};
}

// Writes the two ends of x * y to `ends` (20K columns), or adds them with kAdd. The product of the sums of halves goes
// to `middle` (10K + 1 columns). sums: 20K vectors of scratch.
template <int K, bool kAdd>
PGMPC_IFMA void add_karatsuba(Vector* __restrict ends, Vector* __restrict middle, Vector* __restrict sums,
                              const Vector* x, const Vector* y) {
  constexpr int half = kTile * K / 2, n = kTile * K;
  product_columns<K / 2, kAdd>(ends, x, y, sums);
  product_columns<K / 2, kAdd>(ends + n, x + half, y + half, sums);
  const HalfSums both = add_halves<K>(sums, x, y);
  product_columns<K / 2, kAdd>(middle, both.x, both.y, sums + n);
  for (int i = 0; i < half; ++i) {
    const Vector with_y = _mm512_mask_add_epi64(middle[half + i], both.above_x, middle[half + i], both.y[i]);
    middle[half + i] = _mm512_mask_add_epi64(with_y, both.above_y, with_y, both.x[i]);
  }
  if (!kAdd) middle[n] = _mm512_setzero_si512();
  middle[n] = _mm512_mask_add_epi64(middle[n], both.above_x & both.above_y, middle[n], _mm512_set1_epi64(1));
}

// Returns the columns of x * y + x1 * y1, where x1 may be null: 20K vectors at the beginning of scratch.
template <int K>
PGMPC_IFMA Vector* karatsuba(Vector* scratch, const Vector* x, const Vector* y, const Vector* x1, const Vector* y1) {
  constexpr int half = kTile * K / 2, n = kTile * K;
  Vector *columns = scratch, *middle = columns + 2 * n, *sums = middle + n + 1;
  if constexpr (K == 3) {
    product_columns<3, false>(columns, x, y, middle);
    if (x1 != nullptr) product_columns<3, true>(columns, x1, y1, middle);
    return columns;
  }
  add_karatsuba<K, false>(columns, middle, sums, x, y);
  if (x1 != nullptr) add_karatsuba<K, true>(columns, middle, sums, x1, y1);
  for (int i = 0; i < half; ++i) {
    const Vector low = columns[i], low_above = columns[half + i], high = columns[n + i],
                 high_above = columns[n + half + i];
    columns[half + i] = _mm512_add_epi64(low_above, _mm512_sub_epi64(middle[i], _mm512_add_epi64(low, high)));
    columns[n + i] =
        _mm512_add_epi64(high, _mm512_sub_epi64(middle[half + i], _mm512_add_epi64(low_above, high_above)));
  }
  columns[n + half] = _mm512_add_epi64(columns[n + half], middle[n]);
  return columns;
}

}  // namespace pgmpc::ifma
