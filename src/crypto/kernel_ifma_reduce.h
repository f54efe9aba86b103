// What: Montgomery products of the IFMA kernel, built from the tiles: R = 2^(520 K) for numbers of K tiles.
// Terms: product scanning = the result is computed tile column by tile column, so that only 20 columns live at a time;
//        slack = the bits that R has above root, at least 16.
//        extra = what is added to a product beside the two factors' digits, in the low and in the high half.
// Invariants (value ranges): let inputs be below B = 4 root, so B^2 / R <= 16 root^2 / R <= 2^-12 root.
//   - without extra, and reduce_square: (x y + q root) / R < 2^-12 root + root.
//   - LessQuotient, with q of the first part: the digits of R - 1 - q and 1 are added in the low half, (root - 1) in
//     the high half: together root * R - q, so the result gains root and stays above 0:
//     (2 B^2 + q' root + root R - q) / R < 2^-11 root + 2 root.
//   Both stay below 4 root: no final subtraction, ever. The top carry is 0 for the same reason.
//   - Chain (multiply_chain): u t + x0 (R - q) + q'' root, over R, is below 3.01 root for any u below R. What is taken
//     off, x0 and q', makes that negative as a rule: with delta = 3 root - (R modulo root) the sum is above -R and
//     below 7 root, and R + delta is a multiple of root. A carry of -1 says that the digits hold the sum and R, which
//     is right; a carry of 0 that R is missing: R modulo root is added, and the result is below 8 root. Hence u is
//     below R again.
#pragma once
#include "crypto/kernel_ifma_karatsuba.h"
#include "crypto/kernel_ifma_tiles.h"

namespace pgmpc::ifma {

template <int K>
struct Constants {
  static constexpr std::size_t kPlaceOfK0 = 5 * kTile * K;  // in vectors
  Vector root[kTile * K];
  Vector root_less_one[kTile * K];
  Vector power_of_two[kTile * K];  // R modulo root
  Vector power_of_two_square[kTile * K];
  Vector delta[kTile * K];  // 3 root - (R modulo root)
  Vector k0;                // -1/root modulo 2^52
};

struct NoExtra {
  PGMPC_IFMA void low(Vector*, int) const {}
  PGMPC_IFMA void high(Vector*, int) const {}
};

// Less q / R, plus root.
struct LessQuotient {
  const Vector *q, *root_less_one;

  PGMPC_IFMA __attribute__((always_inline)) void low(Vector* columns, int s) const {
    add_complement(columns, q + kTile * s);
    if (s == 0) columns[0] = _mm512_add_epi64(columns[0], _mm512_set1_epi64(1));
  }
  PGMPC_IFMA __attribute__((always_inline)) void high(Vector* columns, int s) const {
    add_vectors(columns, root_less_one + kTile * s);
  }
};

// Plus x0 / R + delta - x0 - q.
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

// And columns (20K) of products made elsewhere.
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

// out = (x * y + x1 * y1) / R and the extra, modulo root; x and x1 may be null. q = the quotient digits, which overlap
// nothing. out may be one of the factors: tile i of it is written when the tiles up to i of both have been read.
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

// The same by Karatsuba's method where that is faster. scratch: kKaratsubaScratch vectors; out may be any factor then.
template <int K, typename Extra>
PGMPC_IFMA Vector reduce(Vector* out, Vector* q, const Vector* x, const Vector* y, const Vector* x1, const Vector* y1,
                         Extra extra, const Constants<K>& c, Vector* scratch) {
  if constexpr (kKaratsuba<K>) {
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

// kSquare: out = x * x / R; otherwise out = (2 * x * y - minus) / R. Half the products of reduce_product: those that
// occur twice are added up once and doubled, hence fresh columns for every tile column; the upper ten go over in
// `above`.
template <int K, bool kSquare>
PGMPC_IFMA __attribute__((noinline)) void reduce_square(Vector* __restrict out, Vector* __restrict q, const Vector* x,
                                                        const Vector* y, const Vector* minus, const Constants<K>& c) {
  const LessQuotient extra{minus, c.root_less_one};
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

// out = (2 * x * y - minus) / R, by Karatsuba's method where that is faster.
template <int K>
PGMPC_IFMA void reduce_double(Vector* __restrict out, Vector* __restrict q, const Vector* x, const Vector* y,
                              const Vector* minus, const Constants<K>& c, Vector* scratch) {
  if constexpr (kKaratsuba<K>) {
    const Vector* made = karatsuba<K>(scratch, x, y, nullptr, nullptr);
    for (int i = 0; i < 2 * kTile * K; ++i) scratch[i] = _mm512_add_epi64(made[i], made[i]);
    reduce_product<K>(out, q, nullptr, nullptr, nullptr, nullptr,
                      WithColumns<K, LessQuotient>{made, LessQuotient{minus, c.root_less_one}}, c);
  } else {
    reduce_square<K, false>(out, q, x, y, minus, c);
  }
}

}  // namespace pgmpc::ifma
