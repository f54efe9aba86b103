// The register tiles of the IFMA kernel (bignum/kernel_ifma.cpp): products of 10 by 10 digits in 8 lanes.
//
// Terms
// digit: 52 bits of a number.
// vector: the same digit of 8 lanes.
// tile: 10 digits.
// column: the sum of all digit products of one weight, held unreduced in 64 bits.
//
// Invariants
// Digits that enter a product are below 2^52: the instructions use the low 52 bits only. A column gains at most two
// halves of every product. So 3 products of 80 digits (4096 bits) add less than 3 * 80 * 2 * 2^52 < 2^61, and doubled
// (squares) less than 2^62: no column overflows. 20 columns, 10 digits and a factor fit the 32 registers, so nothing is
// stored inside a tile.
//
// Every function carries the target attribute, so the file is compiled for any x86-64. The functions may run only where
// ifma_supported() is true.
#pragma once
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // warnings of GCC 12's own headers, fixed in GCC 13
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

#define PGMPC_IFMA __attribute__((target("avx512f,avx512ifma")))
#define PGMPC_IFMA_INLINE PGMPC_IFMA __attribute__((always_inline)) static inline

namespace pgmpc::ifma {

using Vector = __m512i;
inline constexpr int kTile = 10;
inline constexpr int kDigitBits = 52;
inline constexpr std::uint64_t kDigitMask = (std::uint64_t{1} << kDigitBits) - 1;

PGMPC_IFMA_INLINE Vector add_low(Vector sum, Vector a, Vector b) { return _mm512_madd52lo_epu64(sum, a, b); }
PGMPC_IFMA_INLINE Vector add_high(Vector sum, Vector a, Vector b) { return _mm512_madd52hi_epu64(sum, a, b); }

PGMPC_IFMA_INLINE void clear(Vector* columns, int count) {
#pragma GCC unroll 32
  for (int i = 0; i < count; ++i) columns[i] = _mm512_setzero_si512();
}

// columns[0..19] += a[0..9] * b[0..9].
PGMPC_IFMA_INLINE void add_product(Vector* columns, const Vector* a, const Vector* b) {
  Vector digits[kTile];
#pragma GCC unroll 16
  for (int j = 0; j < kTile; ++j) digits[j] = a[j];
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector factor = b[i];
#pragma GCC unroll 16
    for (int j = 0; j < kTile; ++j) columns[i + j] = add_low(columns[i + j], digits[j], factor);
#pragma GCC unroll 16
    for (int j = 0; j < kTile; ++j) columns[i + j + 1] = add_high(columns[i + j + 1], digits[j], factor);
  }
}

// columns += the products a[i] * a[j] with i < j, which occur twice in a square.
PGMPC_IFMA_INLINE void add_mixed(Vector* columns, const Vector* a) {
  Vector digits[kTile];
#pragma GCC unroll 16
  for (int j = 0; j < kTile; ++j) digits[j] = a[j];
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
#pragma GCC unroll 16
    for (int j = i + 1; j < kTile; ++j) columns[i + j] = add_low(columns[i + j], digits[j], digits[i]);
#pragma GCC unroll 16
    for (int j = i + 1; j < kTile; ++j) columns[i + j + 1] = add_high(columns[i + j + 1], digits[j], digits[i]);
  }
}

// columns += the squares a[i] * a[i].
PGMPC_IFMA_INLINE void add_squares(Vector* columns, const Vector* a) {
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector digit = a[i];
    columns[2 * i] = add_low(columns[2 * i], digit, digit);
    columns[2 * i + 1] = add_high(columns[2 * i + 1], digit, digit);
  }
}

// Computes 10 quotient digits q so that columns + q * root has 0 in its low 10 digits. It adds q times the lowest 10
// digits of root and carries into columns[10]. The low half of q * root[0] is never computed: together with the low 52
// bits of the column it is 2^52, or 0 where these bits are 0. So the carry is the column over 2^52, rounded up.
PGMPC_IFMA_INLINE void add_quotient(Vector* columns, Vector* q, const Vector* root, Vector k0) {
  const Vector zero = _mm512_setzero_si512(), mask = _mm512_set1_epi64(kDigitMask);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector column = columns[i];
    const Vector digit = add_low(zero, column, k0);
    q[i] = digit;
    Vector carry = _mm512_srai_epi64(_mm512_add_epi64(column, mask), kDigitBits);
    carry = add_low(carry, digit, root[1]);
    columns[i + 1] = _mm512_add_epi64(add_high(columns[i + 1], digit, root[0]), carry);
    columns[i + 2] = add_high(columns[i + 2], digit, root[1]);
#pragma GCC unroll 16
    for (int j = 2; j < kTile; ++j) columns[i + j] = add_low(columns[i + j], digit, root[j]);
#pragma GCC unroll 16
    for (int j = 2; j < kTile; ++j) columns[i + j + 1] = add_high(columns[i + j + 1], digit, root[j]);
  }
}

// Moves the high 10 columns down when the low ones are done.
PGMPC_IFMA_INLINE void shift_down(Vector* columns) {
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    columns[i] = columns[i + kTile];
    columns[i + kTile] = _mm512_setzero_si512();
  }
}

PGMPC_IFMA_INLINE void add_vectors(Vector* columns, const Vector* a) {
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) columns[i] = _mm512_add_epi64(columns[i], a[i]);
}

// A column may become negative, as a signed 64-bit number.
PGMPC_IFMA_INLINE void subtract_vectors(Vector* columns, const Vector* a) {
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) columns[i] = _mm512_sub_epi64(columns[i], a[i]);
}

PGMPC_IFMA_INLINE void double_columns(Vector* columns) {
#pragma GCC unroll 32
  for (int i = 0; i < 2 * kTile; ++i) columns[i] = _mm512_add_epi64(columns[i], columns[i]);
}

// out = 10 columns as digits below 2^52. Returns the carry. Columns and carries are signed.
PGMPC_IFMA_INLINE Vector normalise(Vector* out, const Vector* columns, Vector carry) {
  const Vector mask = _mm512_set1_epi64(kDigitMask);
#pragma GCC unroll 16
  for (int i = 0; i < kTile; ++i) {
    const Vector sum = _mm512_add_epi64(columns[i], carry);
    out[i] = _mm512_and_si512(sum, mask);
    carry = _mm512_srai_epi64(sum, kDigitBits);
  }
  return carry;
}

// Transposes 8 vectors: r holds 8 words of each lane, out holds the 8 lanes of each word. The transposition is its own
// inverse.
PGMPC_IFMA_INLINE void transpose(Vector* out, const Vector* r) {
  const Vector t0 = _mm512_unpacklo_epi64(r[0], r[1]), t1 = _mm512_unpackhi_epi64(r[0], r[1]);
  const Vector t2 = _mm512_unpacklo_epi64(r[2], r[3]), t3 = _mm512_unpackhi_epi64(r[2], r[3]);
  const Vector t4 = _mm512_unpacklo_epi64(r[4], r[5]), t5 = _mm512_unpackhi_epi64(r[4], r[5]);
  const Vector t6 = _mm512_unpacklo_epi64(r[6], r[7]), t7 = _mm512_unpackhi_epi64(r[6], r[7]);
  const Vector s0 = _mm512_shuffle_i64x2(t0, t2, 0x88), s1 = _mm512_shuffle_i64x2(t1, t3, 0x88);
  const Vector s2 = _mm512_shuffle_i64x2(t0, t2, 0xdd), s3 = _mm512_shuffle_i64x2(t1, t3, 0xdd);
  const Vector s4 = _mm512_shuffle_i64x2(t4, t6, 0x88), s5 = _mm512_shuffle_i64x2(t5, t7, 0x88);
  const Vector s6 = _mm512_shuffle_i64x2(t4, t6, 0xdd), s7 = _mm512_shuffle_i64x2(t5, t7, 0xdd);
  out[0] = _mm512_shuffle_i64x2(s0, s4, 0x88);
  out[1] = _mm512_shuffle_i64x2(s1, s5, 0x88);
  out[2] = _mm512_shuffle_i64x2(s2, s6, 0x88);
  out[3] = _mm512_shuffle_i64x2(s3, s7, 0x88);
  out[4] = _mm512_shuffle_i64x2(s0, s4, 0xdd);
  out[5] = _mm512_shuffle_i64x2(s1, s5, 0xdd);
  out[6] = _mm512_shuffle_i64x2(s2, s6, 0xdd);
  out[7] = _mm512_shuffle_i64x2(s3, s7, 0xdd);
}

}  // namespace pgmpc::ifma
