// What: Montgomery products of the IFMA kernel, built from the tiles: R = 2^(520 K) for numbers of K tiles.
// Terms: product scanning = the result is computed tile column by tile column, so that only 20 columns live at a time;
//        slack = the bits that R has above root, at least 16.
// Invariants (value ranges): let inputs be below B = 4 root, so B^2 / R <= 16 root^2 / R <= 2^-12 root.
//   - reduce_product(x, y) and reduce_square(x): (x y + q root) / R < 2^-12 root + root.
//   - with `minus` = q of the first part: the digits of R - 1 - q and 1 are added in the low half, (root - 1) in the
//     high half: together root * R - q, so the result gains root and stays above 0:
//     (2 B^2 + q' root + root R - q) / R < 2^-11 root + 2 root.
//   Both stay below 4 root: no final subtraction, ever. The top carry is 0 for the same reason.
#pragma once
#include "crypto/kernel_ifma_tiles.h"

namespace pgmpc::ifma {

template <int K>
struct Constants {
  Vector root[kTile * K];
  Vector root_less_one[kTile * K];
  Vector k0;  // -1/root modulo 2^52
};

// out = (x * y + x1 * y1 - minus) / R modulo root; x1 and minus may be null. q = the quotient digits, which overlap
// nothing. out may be one of the factors: tile i of it is written when the tiles up to i of both have been read.
template <int K>
PGMPC_IFMA __attribute__((noinline)) void reduce_product(Vector* out, Vector* __restrict q, const Vector* x,
                                                         const Vector* y, const Vector* x1, const Vector* y1,
                                                         const Vector* minus, const Constants<K>& c) {
  Vector columns[2 * kTile];
  clear(columns, 2 * kTile);
  for (int s = 0; s < K; ++s) {
    if (minus != nullptr) {
      add_complement(columns, minus + kTile * s);
      if (s == 0) columns[0] = _mm512_add_epi64(columns[0], _mm512_set1_epi64(1));
    }
    for (int i = 0; i <= s; ++i) add_product(columns, x + kTile * i, y + kTile * (s - i));
    if (x1 != nullptr)
      for (int i = 0; i <= s; ++i) add_product(columns, x1 + kTile * i, y1 + kTile * (s - i));
    for (int i = 0; i < s; ++i) add_product(columns, q + kTile * i, c.root + kTile * (s - i));
    add_quotient(columns, q + kTile * s, c.root, c.k0);
    shift_down(columns);
  }
  Vector carry = _mm512_setzero_si512();
  for (int s = K; s < 2 * K - 1; ++s) {
    if (minus != nullptr) add_vectors(columns, c.root_less_one + kTile * (s - K));
    for (int i = s - K + 1; i < K; ++i) add_product(columns, x + kTile * i, y + kTile * (s - i));
    if (x1 != nullptr)
      for (int i = s - K + 1; i < K; ++i) add_product(columns, x1 + kTile * i, y1 + kTile * (s - i));
    for (int i = s - K + 1; i < K; ++i) add_product(columns, q + kTile * i, c.root + kTile * (s - i));
    carry = normalise(out + kTile * (s - K), columns, carry);
    shift_down(columns);
  }
  if (minus != nullptr) add_vectors(columns, c.root_less_one + kTile * (K - 1));
  normalise(out + kTile * (K - 1), columns, carry);
}

// kSquare: out = x * x / R; otherwise out = (2 * x * y - minus) / R. Half the products of reduce_product: those that
// occur twice are added up once and doubled, hence fresh columns for every tile column; the upper ten go over in
// `above`.
template <int K, bool kSquare>
PGMPC_IFMA __attribute__((noinline)) void reduce_square(Vector* __restrict out, Vector* __restrict q, const Vector* x,
                                                        const Vector* y, const Vector* minus, const Constants<K>& c) {
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
      if (s >= K) {
        add_vectors(columns, c.root_less_one + kTile * (s - K));
      } else {
        add_complement(columns, minus + kTile * s);
        if (s == 0) columns[0] = _mm512_add_epi64(columns[0], _mm512_set1_epi64(1));
      }
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
  if (!kSquare) add_vectors(above, c.root_less_one + kTile * (K - 1));
  normalise(out + kTile * (K - 1), above, carry);
}

}  // namespace pgmpc::ifma
