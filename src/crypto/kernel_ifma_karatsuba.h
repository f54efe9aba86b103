// What: products of long numbers for the IFMA kernel by Karatsuba's method: with halves x = l + h B and y = l' + h' B
// the
//       middle of x y is (l + h)(l' + h') - l l' - h h', so that three products of half the length do for four; three
//       tiles take six products of tiles for nine in the same way. The multiply-adds that this saves go to the
//       processor's scarcest unit; the additions go to others.
// Terms: as in kernel_ifma_tiles.h; half = 5K digits; B = 2^(52 * 5K).
// Invariants: digits of factors are below 2^52, so sums like l + h carry: what stands above them is one bit per lane,
//             which masks multiply. Columns hold the product as a whole only: a single one may be negative, as a number
//             of 64 bits with a sign. A tile's product has 20 terms below 2^52 in a column; three tiles take at most
//             four of them off or three up, so a column stays within 80 * 2^52; the middle minus both ends within
//             240 * 2^52, with an end on top 320 * 2^52; two such products and the reduction stay within 2^62.
#pragma once
#include "crypto/kernel_ifma_tiles.h"

namespace pgmpc::ifma {

// From 30 digits on the additions cost less than what is saved; numbers of three and of six tiles are those in use.
template <int K>
inline constexpr bool kKaratsuba = K == 3 || (K % 2 == 0 && K >= 6);

// Vectors of scratch: the columns of a sum of products, and what it takes to make them.
template <int K>
inline constexpr int kKaratsubaScratch = kKaratsuba<K> ? (4 * kTile * K) + 121 : 0;

// The sums of two tiles of a number of three tiles, 0 + 1, 0 + 2 and 1 + 2, as digits below 2^52; lanes with a bit
// above.
struct TileSums {
  Vector* digits;
  __mmask8 above[3];
};
PGMPC_IFMA_INLINE TileSums add_tiles(Vector* __restrict out, const Vector* x) {
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  Vector carry[3];
  clear(carry, 3);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector x0 = x[i], x1 = x[kTile + i], x2 = x[2 * kTile + i];
    const Vector sums[3] = {_mm512_add_epi64(x0, x1), _mm512_add_epi64(x0, x2), _mm512_add_epi64(x1, x2)};
#pragma GCC unroll 4
    for (int k = 0; k < 3; ++k) {
      const Vector sum = _mm512_add_epi64(sums[k], carry[k]);
      out[kTile * k + i] = _mm512_and_si512(sum, mask);
      carry[k] = _mm512_srli_epi64(sum, kDigitBits);
    }
  }
  return {out,
          {_mm512_test_epi64_mask(carry[0], carry[0]), _mm512_test_epi64_mask(carry[1], carry[1]),
           _mm512_test_epi64_mask(carry[2], carry[2])}};
}

// columns += the product of the k-th sums, without the bit above its two tiles: returns the lanes that have it.
PGMPC_IFMA_INLINE __mmask8 add_sum_product(Vector* columns, const TileSums& x, const TileSums& y, int k) {
  const Vector *a = x.digits + kTile * k, *b = y.digits + kTile * k;
  add_product(columns, a, b);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector with_b = _mm512_mask_add_epi64(columns[kTile + i], x.above[k], columns[kTile + i], b[i]);
    columns[kTile + i] = _mm512_mask_add_epi64(with_b, y.above[k], with_b, a[i]);
  }
  return x.above[k] & y.above[k];
}

// A tile of columns goes to its place.
template <bool kAdd>
PGMPC_IFMA_INLINE void put(Vector* out, const Vector* columns) {
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) out[i] = kAdd ? _mm512_add_epi64(out[i], columns[i]) : columns[i];
}

// out = the columns of x * y, or with kAdd, out += them; factors of H tiles. scratch: 120 vectors.
template <int H, bool kAdd>
PGMPC_IFMA __attribute__((noinline)) void product_columns(Vector* __restrict out, const Vector* x, const Vector* y,
                                                          Vector* __restrict) {
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

// Three tiles: x_i y_k + x_k y_i = (x_i + x_k)(y_i + y_k) - x_i y_i - x_k y_k: six products of tiles, not nine.
template <bool kAdd>
PGMPC_IFMA __attribute__((noinline)) void three_tile_columns(Vector* __restrict out, const Vector* x, const Vector* y,
                                                             Vector* __restrict scratch) {
  const TileSums sums_x = add_tiles(scratch, x), sums_y = add_tiles(scratch + 3 * kTile, y);
  Vector* squares[3];  // the products of equal places
  Vector columns[2 * kTile];
  for (int k = 0; k < 3; ++k) {
    squares[k] = scratch + kTile * (6 + 2 * k);
    clear(columns, 2 * kTile);
    add_product(columns, x + kTile * k, y + kTile * k);
#pragma GCC unroll 32
    for (int i = 0; i < 2 * kTile; ++i) squares[k][i] = columns[i];
  }
  const Vector *low0 = squares[0], *high0 = low0 + kTile, *low1 = squares[1], *high1 = low1 + kTile, *low2 = squares[2],
               *high2 = low2 + kTile;
  const Vector one = _mm512_set1_epi64(1);
  put<kAdd>(out, low0);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector ends = _mm512_add_epi64(low0[i], high0[i]);
    columns[i] = _mm512_sub_epi64(_mm512_sub_epi64(high0[i], low0[i]), low1[i]);
    columns[kTile + i] = _mm512_sub_epi64(_mm512_sub_epi64(low1[i], high1[i]), _mm512_add_epi64(ends, low2[i]));
  }
  const __mmask8 above0 = add_sum_product(columns, sums_x, sums_y, 0);
  put<kAdd>(out + kTile, columns);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector ends = _mm512_add_epi64(low2[i], high2[i]);
    columns[i] = columns[kTile + i];
    columns[kTile + i] = _mm512_sub_epi64(_mm512_sub_epi64(high1[i], low1[i]), _mm512_add_epi64(ends, high0[i]));
  }
  columns[kTile] = _mm512_mask_add_epi64(columns[kTile], above0, columns[kTile], one);
  const __mmask8 above1 = add_sum_product(columns, sums_x, sums_y, 1);
  put<kAdd>(out + 2 * kTile, columns);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    columns[i] = columns[kTile + i];
    columns[kTile + i] = _mm512_sub_epi64(_mm512_sub_epi64(low2[i], high2[i]), high1[i]);
  }
  columns[kTile] = _mm512_mask_add_epi64(columns[kTile], above1, columns[kTile], one);
  const __mmask8 above2 = add_sum_product(columns, sums_x, sums_y, 2);
  put<kAdd>(out + 3 * kTile, columns);
  put<kAdd>(out + 4 * kTile, columns + kTile);
  put<kAdd>(out + 5 * kTile, high2);
  out[5 * kTile] = _mm512_mask_add_epi64(out[5 * kTile], above2, out[5 * kTile], one);
}
template <>
PGMPC_IFMA inline void product_columns<3, false>(Vector* __restrict out, const Vector* x, const Vector* y,
                                                 Vector* __restrict scratch) {
  three_tile_columns<false>(out, x, y, scratch);
}
template <>
PGMPC_IFMA inline void product_columns<3, true>(Vector* __restrict out, const Vector* x, const Vector* y,
                                                Vector* __restrict scratch) {
  three_tile_columns<true>(out, x, y, scratch);
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
// 1 columns). sums: 20K vectors of scratch.
template <int K, bool kAdd>
PGMPC_IFMA void add_karatsuba(Vector* __restrict ends, Vector* __restrict middle, Vector* __restrict sums,
                              const Vector* x, const Vector* y) {
  constexpr int half = kTile * K / 2, n = kTile * K;
  product_columns<K / 2, kAdd>(ends, x, y, sums);
  product_columns<K / 2, kAdd>(ends + n, x + half, y + half, sums);
  Vector *sum_x = sums, *sum_y = sums + half;
  const __mmask8 above_x = add_halves<K>(sum_x, x), above_y = add_halves<K>(sum_y, y);
  product_columns<K / 2, kAdd>(middle, sum_x, sum_y, sums + n);
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
  if constexpr (K == 3) {
    product_columns<3, false>(columns, x, y, middle);
    if (x1 != nullptr) product_columns<3, true>(columns, x1, y1, middle);
    return columns;
  }
  add_karatsuba<K, false>(columns, middle, sums, x, y);
  if (x1 != nullptr) add_karatsuba<K, true>(columns, middle, sums, x1, y1);
  for (int i = 0; i < n; ++i) middle[i] = _mm512_sub_epi64(middle[i], _mm512_add_epi64(columns[i], columns[n + i]));
  for (int i = 0; i <= n; ++i) columns[half + i] = _mm512_add_epi64(columns[half + i], middle[i]);
  return columns;
}

}  // namespace pgmpc::ifma
