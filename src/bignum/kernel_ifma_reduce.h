// Montgomery products of the IFMA kernel, built from tiles: R = 2^(520 K) for numbers of K tiles.
//
// Terms
// product scanning: the result is computed tile column by tile column, so only 20 columns exist at a time.
// slack: the bits that R has above root, at least 16.
// extra: what is added to a product beside the digits of the two factors, in the low and in the high half.
//
// Invariants
// Value ranges: let inputs be below 4 root, or one a sum of up to 16 results (bignum/kernel.h) and the other a result.
// Then a product P is below 18 root^2, and P / R is below 2^-11 root.
// - without extra, and reduce_square: (P + q root) / R < 2^-11 root + root.
// - LessQuotient, with q < R of the first part: (2 P - q + q' root) / R < 2^-10 root + root. It is an integer
//   above -1, so it is not negative.
// Both stay below 4 root, so there is never a final subtraction. The top carry is 0 for the same reason.
// - Chain (multiply_chain): (u t + x0 (R - q) + q'' root) / R is below 3.01 root for any u below R. Subtracting x0 and
//   q' usually makes that negative. With delta = 3 root - (R modulo root) the sum is above -R and below 7 root, and
//   R + delta is a multiple of root. A carry of -1 says that the digits hold the sum and R, which is right. A carry of
//   0 says that R is missing. Then R modulo root is added, and the result is below 8 root. Hence u is below R again.
#pragma once
#include "bignum/kernel_ifma_karatsuba.h"
#include "bignum/kernel_ifma_tiles.h"

namespace pgmpc::ifma {

template <int K>
struct Constants {
  static constexpr std::size_t kPlaceOfK0 = 4 * kTile * K;  // in vectors
  Vector root[kTile * K];
  Vector power_of_two[kTile * K];  // R modulo root
  Vector power_of_two_square[kTile * K];
  Vector delta[kTile * K];  // 3 root - (R modulo root)
  Vector k0;                // -1/root modulo 2^52
  TileSum root_sum;         // of the three lowest tiles of root, for kReduceThree
};

// Numbers that are reduced three tiles at a time.
template <int K>
inline constexpr bool kReduceThree = K == 3 || K == 6;

struct NoExtra {
  PGMPC_IFMA void low(Vector*, int) const {}
  PGMPC_IFMA void high(Vector*, int) const {}
};

// Subtracts q / R. The number to be reduced may become negative, but not below -R, and it is a multiple of R.
struct LessQuotient {
  const Vector* q;

  PGMPC_IFMA __attribute__((always_inline)) void low(Vector* columns, int s) const {
    subtract_vectors(columns, q + kTile * s);
  }
  PGMPC_IFMA void high(Vector*, int) const {}
};

// Adds x0 / R + delta - x0 - q.
struct Chain {
  const Vector *x0, *q, *delta;

  PGMPC_IFMA __attribute__((always_inline)) void low(Vector* columns, int s) const {
    add_vectors(columns, x0 + kTile * s);
  }
  PGMPC_IFMA __attribute__((always_inline)) void high(Vector* columns, int s) const {
    add_vectors(columns, delta + kTile * s);
    subtract_vectors(columns, x0 + kTile * s);
    subtract_vectors(columns, q + kTile * s);
  }
};

// Adds the columns (20K) of products computed elsewhere, and another extra.
template <int K, typename Extra>
struct WithColumns {
  const Vector* made;
  Extra extra;

  PGMPC_IFMA __attribute__((always_inline)) void low(Vector* columns, int s) const {
    add_vectors(columns, made + kTile * s);
    extra.low(columns, s);
  }
  PGMPC_IFMA __attribute__((always_inline)) void high(Vector* columns, int s) const {
    add_vectors(columns, made + kTile * (K + s));
    extra.high(columns, s);
  }
};

// out = (x * y + x1 * y1) / R and the extra, modulo root; x and x1 may be null. q receives the quotient digits and
// overlaps nothing. out may be one of the factors: its tile i is written when the tiles up to i of both have been read.
// Returns the carry above out.
template <int K, typename Extra>
PGMPC_IFMA __attribute__((noinline)) Vector reduce_product(Vector* out, Vector* __restrict q, const Vector* x,
                                                           const Vector* y, const Vector* x1, const Vector* y1,
                                                           Extra extra, const Constants<K>& c) {
  Vector columns[2 * kTile];
  clear(columns, 2 * kTile);
  for (int s = 0; s < K; ++s) {
    extra.low(columns, s);
    if (x != nullptr)
      for (int i = 0; i <= s; ++i) add_product(columns, x + kTile * i, y + kTile * (s - i));
    if (x1 != nullptr)
      for (int i = 0; i <= s; ++i) add_product(columns, x1 + kTile * i, y1 + kTile * (s - i));
    for (int i = 0; i < s; ++i) add_product(columns, q + kTile * i, c.root + kTile * (s - i));
    add_quotient(columns, q + kTile * s, c.root, c.k0);
    shift_down(columns);
  }
  Vector carry = _mm512_setzero_si512();
  for (int s = K; s < 2 * K - 1; ++s) {
    extra.high(columns, s - K);
    if (x != nullptr)
      for (int i = s - K + 1; i < K; ++i) add_product(columns, x + kTile * i, y + kTile * (s - i));
    if (x1 != nullptr)
      for (int i = s - K + 1; i < K; ++i) add_product(columns, x1 + kTile * i, y1 + kTile * (s - i));
    for (int i = s - K + 1; i < K; ++i) add_product(columns, q + kTile * i, c.root + kTile * (s - i));
    carry = normalise(out + kTile * (s - K), columns, carry);
    shift_down(columns);
  }
  extra.high(columns, K - 1);
  return normalise(out + kTile * (K - 1), columns, carry);
}

// The part of the extra that three_tile_quotient adds to three tiles of low columns, from tile `first` on.
template <typename Extra>
struct LowFrom {
  const Extra& extra;
  int first;
  PGMPC_IFMA __attribute__((always_inline)) void operator()(Vector* columns, int s) const {
    extra.low(columns, first + s);
  }
};

// reduce_product for columns (20K) that are already computed; it changes them. With six tiles, it clears the lower half
// by three tiles of quotient, then the next half: 28 products of tiles instead of 36. scratch: 120 vectors.
template <int K, typename Extra>
PGMPC_IFMA Vector reduce_columns(Vector* out, Vector* q, Vector* made, const Extra& extra, const Constants<K>& c,
                                 Vector* scratch) {
  static_assert(kReduceThree<K>);
  constexpr int three = 3 * kTile;
  for (int half = 0; half < K / 3; ++half) {
    Vector *digits = q + three * half, *columns = made + three * half;
    three_tile_quotient(digits, columns, c.root, c.root_sum, c.k0, LowFrom<Extra>{extra, 3 * half});
    if constexpr (K == 6) product_columns<3, true>(columns + three, digits, c.root + three, scratch);
  }
  Vector carry = _mm512_setzero_si512();
  for (int s = 0; s < K; ++s) {
    Vector columns[kTile];
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) columns[i] = made[kTile * (K + s) + i];
    extra.high(columns, s);
    carry = normalise(out + kTile * s, columns, carry);
  }
  return carry;
}

// reduce_product, by Karatsuba's method where that is faster; out may be any factor then. scratch: kKaratsubaScratch
// vectors.
template <int K, typename Extra>
PGMPC_IFMA Vector reduce(Vector* out, Vector* q, const Vector* x, const Vector* y, const Vector* x1, const Vector* y1,
                         Extra extra, const Constants<K>& c, Vector* scratch) {
  if constexpr (kReduceThree<K>) {
    return reduce_columns<K>(out, q, karatsuba<K>(scratch, x, y, x1, y1), extra, c, scratch + 2 * kTile * K);
  } else if constexpr (kKaratsuba<K>) {
    const Vector* made = karatsuba<K>(scratch, x, y, x1, y1);
    return reduce_product<K>(out, q, nullptr, nullptr, nullptr, nullptr, WithColumns<K, Extra>{made, extra}, c);
  } else {
    return reduce_product<K>(out, q, x, y, x1, y1, extra, c);
  }
}

// out = x * y / R.
template <int K>
PGMPC_IFMA void reduce_plain(Vector* out, Vector* q, const Vector* x, const Vector* y, const Constants<K>& c,
                             Vector* scratch) {
  reduce<K>(out, q, x, y, nullptr, nullptr, NoExtra{}, c, scratch);
}

// kSquare: out = x * x / R; otherwise out = (2 * x * y - minus) / R. It takes half the products of reduce_product,
// because those that occur twice are added up once and doubled. ChebyshevStep needs fresh columns for every tile column, so
// `above` carries the upper ten over.
template <int K, bool kSquare>
PGMPC_IFMA __attribute__((noinline)) void reduce_square(Vector* __restrict out, Vector* __restrict q, const Vector* x,
                                                        const Vector* y, const Vector* minus, const Constants<K>& c) {
  const LessQuotient extra{minus};
  Vector columns[2 * kTile];
  Vector above[kTile];
  clear(above, kTile);
  Vector carry = _mm512_setzero_si512();
  for (int s = 0; s < 2 * K - 1; ++s) {
    clear(columns, 2 * kTile);
    const int first = s < K ? 0 : s - K + 1, last = s < K ? s : K - 1;
    if (kSquare) {
      for (int i = first; i < s - i; ++i) add_product(columns, x + kTile * i, x + kTile * (s - i));
      if (s % 2 == 0) add_mixed(columns, x + kTile * (s / 2));
      double_columns(columns);
      if (s % 2 == 0) add_squares(columns, x + kTile * (s / 2));
    } else {
      for (int i = first; i <= last; ++i) add_product(columns, x + kTile * i, y + kTile * (s - i));
      double_columns(columns);
      if (s < K)
        extra.low(columns, s);
      else
        extra.high(columns, s - K);
    }
    add_vectors(columns, above);
    if (s < K) {
      for (int i = 0; i < s; ++i) add_product(columns, q + kTile * i, c.root + kTile * (s - i));
      add_quotient(columns, q + kTile * s, c.root, c.k0);
    } else {
      for (int i = first; i < K; ++i) add_product(columns, q + kTile * i, c.root + kTile * (s - i));
      carry = normalise(out + kTile * (s - K), columns, carry);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) above[i] = columns[i + kTile];
  }
  if (!kSquare) extra.high(above, K - 1);
  normalise(out + kTile * (K - 1), above, carry);
}

// out = x * x / R. scratch: kKaratsubaScratch vectors.
template <int K>
PGMPC_IFMA void reduce_square(Vector* __restrict out, Vector* __restrict q, const Vector* x, const Constants<K>& c,
                              Vector* scratch) {
  if constexpr (K == 3) {
    Vector *columns = scratch, *rest = columns + 2 * kTile * K;
    three_tile_square(columns, x, add_tiles(rest, x), rest + kTile * K);
    reduce_columns<K>(out, q, columns, NoExtra{}, c, rest);
  } else {
    reduce_square<K, true>(out, q, x, x, nullptr, c);
  }
}

// out = (2 * x * y - minus) / R, by Karatsuba's method where that is faster.
template <int K>
PGMPC_IFMA void reduce_double(Vector* __restrict out, Vector* __restrict q, const Vector* x, const Vector* y,
                              const Vector* minus, const Constants<K>& c, Vector* scratch) {
  const LessQuotient extra{minus};
  if constexpr (kKaratsuba<K>) {
    Vector* made = karatsuba<K>(scratch, x, y, nullptr, nullptr);
    for (int i = 0; i < 2 * kTile * K; ++i) made[i] = _mm512_add_epi64(made[i], made[i]);
    if constexpr (kReduceThree<K>)
      reduce_columns<K>(out, q, made, extra, c, scratch + 2 * kTile * K);
    else
      reduce_product<K>(out, q, nullptr, nullptr, nullptr, nullptr, WithColumns<K, LessQuotient>{made, extra}, c);
  } else {
    reduce_square<K, false>(out, q, x, y, minus, c);
  }
}

// Both parts of the square of a pair of three tiles. They share the sums of x's tiles. scratch: kKaratsubaScratch<3>.
PGMPC_IFMA inline void square_three_tiles(Vector* __restrict out, Vector* __restrict q, const Vector* x,
                                          const Constants<3>& c, Vector* __restrict scratch) {
  constexpr int n = 3 * kTile;
  Vector *columns = scratch, *sums = columns + 2 * n, *rest = sums + 2 * n;
  const TileSums sums_x = add_tiles(sums, x);
  three_tile_square(columns, x, sums_x, rest);
  reduce_columns<3>(out, q, columns, NoExtra{}, c, rest);
  three_tile_columns<true, false>(columns, x, x + n, sums_x, add_tiles(sums + n, x + n), rest);
  reduce_columns<3>(out + n, q + n, columns, LessQuotient{q}, c, rest);
}

// A pair of three tiles times (y, 0). Both parts share the sums of y's tiles.
PGMPC_IFMA inline void multiply_three_tiles(Vector* __restrict out, Vector* __restrict q, const Vector* x,
                                            const Vector* y, const Constants<3>& c, Vector* __restrict scratch) {
  constexpr int n = 3 * kTile;
  Vector *columns = scratch, *sums = columns + 2 * n, *rest = sums + 2 * n;
  const TileSums sums_y = add_tiles(sums, y);
  three_tile_columns<false, false>(columns, x, y, add_tiles(sums + n, x), sums_y, rest);
  reduce_columns<3>(out, q, columns, NoExtra{}, c, rest);
  three_tile_columns<false, false>(columns, x + n, y, add_tiles(sums + n, x + n), sums_y, rest);
  reduce_columns<3>(out + n, q + n, columns, LessQuotient{q}, c, rest);
}

}  // namespace pgmpc::ifma
