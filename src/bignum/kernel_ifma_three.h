// Numbers of three tiles (1536 bits: p and q of a 3072-bit key) in the IFMA kernel: products, squares and the reduction
// by Karatsuba's method.
// The method computes the middle of tiles i and k from the products of equal places: x_i y_k + x_k y_i = (x_i +
// x_k)(y_i + y_k) - x_i y_i - x_k y_k. A product takes 6 products of tiles instead of 9, a square 6 squares of tiles
// instead of 3 squares and 3 products. The reduction takes 8 instead of 9, because only the last two tiles of the
// quotient are known together. Longer numbers are built from these (kernel_ifma_karatsuba.h, kernel_ifma_reduce.h).
//
// Terms
// As in kernel_ifma_tiles.h. middle: the part of a product that two tiles make together.
//
// Invariants
// Digits of factors are below 2^52, so a sum of two tiles has one more bit above its digits in some lanes. Products
// with that bit are masked additions. Only all columns together hold the product: a single column may be negative, as a
// signed 64-bit number. A tile's product has 20 terms below 2^52 in a column. A column of a three-tile product has at
// most four of these subtracted or three added, so a function here adds at most 80 * 2^52 to it.
//
// settle() keeps the compiler from moving loads across it. A step needs nearly all 32 registers, and numbers loaded
// early push others into memory (measured: a tenth of the time).
#pragma once
#include "bignum/kernel_ifma_tiles.h"

namespace pgmpc::ifma {

PGMPC_IFMA_INLINE void settle() { __asm__ volatile("" ::: "memory"); }

// The sums of the tiles 0 + 1, 0 + 2 and 1 + 2 of a number of three tiles, as digits below 2^52. above: the lanes whose
// sum has one more bit.
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

// columns += the product of the k-th sums, except the product of their two bits above the digits. Returns the lanes
// where both have that bit.
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

// out = the sum of two tiles as digits below 2^52. Returns the carry above them.
PGMPC_IFMA_INLINE Vector add_two_tiles(Vector* __restrict out, const Vector* x, const Vector* y) {
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  Vector carry = _mm512_setzero_si512();
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector sum = _mm512_add_epi64(_mm512_add_epi64(x[i], y[i]), carry);
    out[i] = _mm512_and_si512(sum, mask);
    carry = _mm512_srli_epi64(sum, kDigitBits);
  }
  return carry;
}

// Where the products of equal places are stored: two tiles of columns each.
struct EqualPlaces {
  const Vector *low[3], *high[3];
};
PGMPC_IFMA_INLINE EqualPlaces equal_places(const Vector* columns) {
  EqualPlaces places;
#pragma GCC unroll 4
  for (int k = 0; k < 3; ++k) {
    places.low[k] = columns + 2 * kTile * k;
    places.high[k] = places.low[k] + kTile;
  }
  return places;
}

template <bool kDouble, bool kAdd>
PGMPC_IFMA_INLINE void put_column(Vector& out, Vector column) {
  if (kDouble) column = _mm512_add_epi64(column, column);
  out = kAdd ? _mm512_add_epi64(out, column) : column;
}

// columns = lower and upper, what already stands in the two tiles of a middle, less the products of equal places of its
// two tiles.
PGMPC_IFMA_INLINE void begin_middle(Vector* columns, const Vector* lower, const Vector* upper,
                                    const EqualPlaces& places, int first, int second) {
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    columns[i] = _mm512_sub_epi64(_mm512_sub_epi64(lower[i], places.low[first][i]), places.low[second][i]);
    columns[kTile + i] = _mm512_sub_epi64(_mm512_sub_epi64(upper[i], places.high[first][i]), places.high[second][i]);
  }
}

PGMPC_IFMA_INLINE __mmask8 add_middle(Vector* columns, const TileSums& sums_x, const TileSums& sums_y, int k) {
  settle();
  const __mmask8 above = add_sum_product(columns, sums_x, sums_y, k);
  settle();
  return above;
}

// out (60 columns) = x * y, or twice that with kDouble. With kAdd it is added to out. scratch: 60 vectors.
template <bool kDouble, bool kAdd>
PGMPC_IFMA __attribute__((noinline)) void three_tile_columns(Vector* __restrict out, const Vector* x, const Vector* y,
                                                             const TileSums& sums_x, const TileSums& sums_y,
                                                             Vector* __restrict scratch) {
  Vector columns[2 * kTile];
  for (int k = 0; k < 3; ++k) {
    clear(columns, 2 * kTile);
    add_product(columns, x + kTile * k, y + kTile * k);
    settle();
#pragma GCC unroll 32
    for (int i = 0; i < 2 * kTile; ++i) scratch[2 * kTile * k + i] = columns[i];
  }
  const EqualPlaces places = equal_places(scratch);
  const Vector one = _mm512_set1_epi64(1);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) put_column<kDouble, kAdd>(out[i], places.low[0][i]);
  begin_middle(columns, places.high[0], places.low[1], places, 0, 1);
  const __mmask8 above0 = add_middle(columns, sums_x, sums_y, 0);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) put_column<kDouble, kAdd>(out[kTile + i], columns[i]);
  begin_middle(columns, columns + kTile, places.high[1], places, 0, 2);
  columns[kTile] = _mm512_mask_add_epi64(columns[kTile], above0, columns[kTile], one);
  const __mmask8 above1 = add_middle(columns, sums_x, sums_y, 1);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) put_column<kDouble, kAdd>(out[2 * kTile + i], columns[i]);
  begin_middle(columns, columns + kTile, places.low[2], places, 1, 2);
  columns[kTile] = _mm512_mask_add_epi64(columns[kTile], above1, columns[kTile], one);
  const __mmask8 above2 = add_middle(columns, sums_x, sums_y, 2);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    put_column<kDouble, kAdd>(out[3 * kTile + i], columns[i]);
    put_column<kDouble, kAdd>(out[4 * kTile + i], columns[kTile + i]);
    const Vector high2 = places.high[2][i];
    put_column<kDouble, kAdd>(out[5 * kTile + i], i == 0 ? _mm512_mask_add_epi64(high2, above2, high2, one) : high2);
  }
}

// columns = the square of ten digits and the bit above them.
PGMPC_IFMA_INLINE void square_tile(Vector* columns, const Vector* x, __mmask8 above) {
  clear(columns, 2 * kTile);
  add_mixed(columns, x);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i)
    columns[kTile + i] = _mm512_mask_add_epi64(columns[kTile + i], above, columns[kTile + i], x[i]);
  double_columns(columns);
  add_squares(columns, x);
  settle();
}

// out (60 columns) = x * x. scratch: 60 vectors.
PGMPC_IFMA __attribute__((noinline)) inline void three_tile_square(Vector* __restrict out, const Vector* x,
                                                                   const TileSums& sums, Vector* __restrict scratch) {
  Vector columns[2 * kTile];
  for (int k = 0; k < 3; ++k) {
    square_tile(columns, x + kTile * k, 0);
#pragma GCC unroll 32
    for (int i = 0; i < 2 * kTile; ++i) scratch[2 * kTile * k + i] = columns[i];
  }
  const EqualPlaces places = equal_places(scratch);
  const Vector one = _mm512_set1_epi64(1);
  // The middle of tiles 0 and 1 begins at tile 1, that of 0 and 2 at tile 2, that of 1 and 2 at tile 3.
  square_tile(columns, sums.digits, sums.above[0]);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector low = _mm512_add_epi64(places.low[0][i], places.low[1][i]);
    const Vector high = _mm512_add_epi64(places.high[0][i], places.high[1][i]);
    out[i] = places.low[0][i];
    out[kTile + i] = _mm512_add_epi64(columns[i], _mm512_sub_epi64(places.high[0][i], low));
    out[2 * kTile + i] = _mm512_add_epi64(columns[kTile + i], _mm512_sub_epi64(places.low[1][i], high));
  }
  settle();
  square_tile(columns, sums.digits + kTile, sums.above[1]);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector low = _mm512_add_epi64(places.low[0][i], places.low[2][i]);
    const Vector high = _mm512_add_epi64(places.high[0][i], places.high[2][i]);
    out[2 * kTile + i] = _mm512_add_epi64(out[2 * kTile + i], _mm512_sub_epi64(columns[i], low));
    out[3 * kTile + i] = _mm512_add_epi64(columns[kTile + i], _mm512_sub_epi64(places.high[1][i], high));
  }
  out[3 * kTile] = _mm512_mask_add_epi64(out[3 * kTile], sums.above[0], out[3 * kTile], one);
  settle();
  square_tile(columns, sums.digits + 2 * kTile, sums.above[2]);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector low = _mm512_add_epi64(places.low[1][i], places.low[2][i]);
    const Vector high = _mm512_add_epi64(places.high[1][i], places.high[2][i]);
    out[3 * kTile + i] = _mm512_add_epi64(out[3 * kTile + i], _mm512_sub_epi64(columns[i], low));
    out[4 * kTile + i] = _mm512_add_epi64(columns[kTile + i], _mm512_sub_epi64(places.low[2][i], high));
    out[5 * kTile + i] = places.high[2][i];
  }
  out[4 * kTile] = _mm512_mask_add_epi64(out[4 * kTile], sums.above[1], out[4 * kTile], one);
  out[5 * kTile] = _mm512_mask_add_epi64(out[5 * kTile], sums.above[2], out[5 * kTile], one);
}

// The sum of the second and the third tile of a modulus: digits below 2^52, and the bit above them.
struct TileSum {
  Vector digits[kTile];
  Vector above;
};
PGMPC_IFMA_INLINE void add_upper_tiles(TileSum& out, const Vector* x) {
  out.above = add_two_tiles(out.digits, x + kTile, x + 2 * kTile);
}

// q = the 30 quotient digits that clear the lowest 30 of 60 columns. The other columns gain the upper half of q * root
// and the carry. root_sum = add_upper_tiles(root). low adds the extra to the low columns (kernel_ifma_reduce.h).
template <typename Low>
PGMPC_IFMA __attribute__((noinline)) void three_tile_quotient(Vector* __restrict q, Vector* __restrict made,
                                                              const Vector* root, const TileSum& root_sum, Vector k0,
                                                              Low low) {
  Vector columns[2 * kTile];
#pragma GCC unroll 32
  for (int i = 0; i < 2 * kTile; ++i) columns[i] = made[i];
  low(columns, 0);
  add_quotient(columns, q, root, k0);
  settle();
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    columns[i] = columns[kTile + i];
    columns[kTile + i] = made[2 * kTile + i];
  }
  low(columns, 1);
  settle();
  add_product(columns, q, root + kTile);
  add_quotient(columns, q + kTile, root, k0);
  settle();
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) made[2 * kTile + i] = columns[kTile + i];
  settle();
  // The product of the second tiles of q and root is added in its place and subtracted from the middle of the second
  // and third tiles.
  clear(columns, 2 * kTile);
  add_product(columns, q + kTile, root + kTile);
  settle();
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector lower = columns[i], upper = columns[kTile + i];
    columns[i] = _mm512_add_epi64(lower, made[2 * kTile + i]);
    columns[kTile + i] = _mm512_sub_epi64(_mm512_add_epi64(made[3 * kTile + i], upper), lower);
    made[4 * kTile + i] = _mm512_sub_epi64(made[4 * kTile + i], upper);
  }
  low(columns, 2);
  settle();
  add_product(columns, q, root + 2 * kTile);
  add_quotient(columns, q + 2 * kTile, root, k0);
  settle();
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) made[3 * kTile + i] = columns[kTile + i];
  settle();
  // The same for the third tiles of both, then the middle.
  clear(columns, 2 * kTile);
  add_product(columns, q + 2 * kTile, root + 2 * kTile);
  settle();
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector lower = columns[i], upper = columns[kTile + i];
    made[5 * kTile + i] = _mm512_add_epi64(made[5 * kTile + i], upper);
    columns[i] = _mm512_sub_epi64(made[3 * kTile + i], lower);
    columns[kTile + i] = _mm512_add_epi64(_mm512_sub_epi64(lower, upper), made[4 * kTile + i]);
  }
  Vector sum[kTile];
  const Vector carry = add_two_tiles(sum, q + kTile, q + 2 * kTile);
  settle();
  add_product(columns, sum, root_sum.digits);
  settle();
  const __mmask8 above = _mm512_test_epi64_mask(carry, carry),
                 root_above = _mm512_test_epi64_mask(root_sum.above, root_sum.above);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector with = _mm512_mask_add_epi64(columns[kTile + i], above, columns[kTile + i], root_sum.digits[i]);
    made[3 * kTile + i] = columns[i];
    made[4 * kTile + i] = _mm512_mask_add_epi64(with, root_above, with, sum[i]);
  }
  made[5 * kTile] = _mm512_mask_add_epi64(made[5 * kTile], above & root_above, made[5 * kTile], _mm512_set1_epi64(1));
}

}  // namespace pgmpc::ifma
