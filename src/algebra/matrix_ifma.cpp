// Implements the AVX512-IFMA kernel of product: 8 columns of the result at a time.
//
// Terms
// Digit, vector and cell: see field_ifma.h. A group is 8 columns.
//
// Invariants
// It returns the same canonical elements as the portable kernel. Columns beyond the matrix are zeros. Nothing depends
// on the values of elements.
#include <algorithm>
#include <array>

#include "algebra/matrix.h"
#include "base/error.h"

#if defined(__x86_64__)

#include "algebra/field_ifma.h"

namespace pgmpc {

namespace {

using ifma::add_products;
using ifma::kDigitBits;
using ifma::kDigitMask;
using ifma::kDigits;
using ifma::kLanes;
using ifma::kSums;
using ifma::split_group;
using ifma::Vector;

constexpr std::size_t kRows = 2;  // rows of the result at a time: 10 independent sums
using Digits = std::array<std::uint64_t, kDigits>;

Digits split(Fp x) {
  return {static_cast<std::uint64_t>(x.v) & kDigitMask, static_cast<std::uint64_t>(x.v >> kDigitBits) & kDigitMask,
          static_cast<std::uint64_t>(x.v >> (2 * kDigitBits))};
}

// cells[r] = sum over k of factors[r][k] times row k of one group. stride: vectors between two rows.
PGMPC_IFMA void add_rows(Vector* cells, const std::array<const Digits*, kRows>& factors, const Vector* group,
                         std::size_t stride, std::size_t count) {
  Vector sums[kRows * kSums];
  ifma::clear(sums, static_cast<int>(kRows * kSums));
  for (std::size_t k = 0; k < count; ++k, group += stride) {
    const Vector b[kDigits] = {group[0], group[1], group[2]};
#pragma GCC unroll 2
    for (std::size_t r = 0; r < kRows; ++r) {
      const Digits& x = factors[r][k];
      const Vector a[kDigits] = {_mm512_set1_epi64(static_cast<long long>(x[0])),
                                 _mm512_set1_epi64(static_cast<long long>(x[1])),
                                 _mm512_set1_epi64(static_cast<long long>(x[2]))};
      add_products(sums + r * kSums, a, b);
    }
  }
#pragma GCC unroll 16
  for (std::size_t k = 0; k < kRows * kSums; ++k) cells[k] = sums[k];
}

// Reduces the 8 numbers that a cell represents modulo p, to values below 2^128. Modulo p, 2^156 = 2^29,
// 2^208 = 2^(52 + 29), 2^260 = 2^6 and 2^127 = 1.
PGMPC_IFMA void reduce_cell(u128* out, const Vector* cell) {
  constexpr int kFold = 3 * kDigitBits - 127, kTop = 127 - 2 * kDigitBits;
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  Vector digit[kSums + 1], carry = _mm512_setzero_si512();
#pragma GCC unroll 8
  for (std::size_t k = 0; k < kSums; ++k) {
    const Vector sum = _mm512_add_epi64(cell[k], carry);
    digit[k] = _mm512_and_si512(sum, mask);
    carry = _mm512_srli_epi64(sum, kDigitBits);
  }
  digit[kSums] = carry;
  const auto low_part = [&](Vector x) __attribute__((target("avx512f,avx512ifma"), always_inline)) {
    return _mm512_and_si512(_mm512_slli_epi64(x, kFold), mask);
  };
  Vector r0 = _mm512_add_epi64(_mm512_add_epi64(digit[0], low_part(digit[3])), _mm512_slli_epi64(digit[5], 6));
  Vector r1 =
      _mm512_add_epi64(_mm512_add_epi64(digit[1], _mm512_srli_epi64(digit[3], kDigitBits - kFold)), low_part(digit[4]));
  Vector r2 = _mm512_add_epi64(digit[2], _mm512_srli_epi64(digit[4], kDigitBits - kFold));
  r1 = _mm512_add_epi64(r1, _mm512_srli_epi64(r0, kDigitBits));
  r2 = _mm512_add_epi64(r2, _mm512_srli_epi64(r1, kDigitBits));
  // The part above 2^127 returns at 2^0. Then r1 is at most 2^52, and the number is below 2^128.
  r0 = _mm512_add_epi64(_mm512_and_si512(r0, mask), _mm512_srli_epi64(r2, kTop));
  r2 = _mm512_and_si512(r2, _mm512_set1_epi64((1 << kTop) - 1));
  r1 = _mm512_add_epi64(_mm512_and_si512(r1, mask), _mm512_srli_epi64(r0, kDigitBits));
  r0 = _mm512_and_si512(r0, mask);
  const Vector low = _mm512_or_si512(r0, _mm512_slli_epi64(r1, kDigitBits));
  const Vector high =
      _mm512_add_epi64(_mm512_srli_epi64(r1, 64 - kDigitBits), _mm512_slli_epi64(r2, 2 * kDigitBits - 64));
  const Vector first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11),
               rest = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  _mm512_storeu_si512(out, _mm512_permutex2var_epi64(low, first, high));
  _mm512_storeu_si512(out + kLanes / 2, _mm512_permutex2var_epi64(low, rest, high));
}

// Splits rows of b into digits, group by group. The last group is filled with zeros.
PGMPC_IFMA void split_rows(Vector* out, const Matrix& b, std::size_t groups) {
  FpVector row(groups * kLanes);
  for (std::size_t k = 0; k < b.size; ++k) {
    std::copy_n(&b.at[k * b.size], b.size, row.begin());
    for (std::size_t g = 0; g < groups; ++g, out += kDigits) split_group(out, row.data() + g * kLanes);
  }
}

}  // namespace

FpVector product_ifma(const Matrix& a, const Matrix& b, Entries entries) {
  const std::size_t n = a.size, groups = (n + kLanes - 1) / kLanes;
  if (!ifma_supported()) throw Error(ErrorCode::not_supported, "this processor has no AVX512-IFMA instructions");
  if (n > ifma::kMostProducts) throw Error(ErrorCode::internal, "the matrix is too large for one sum of products");
  KernelWords rows(n * groups * kDigits), cells(kRows * kSums);
  Vector *digits = reinterpret_cast<Vector*>(rows.data()), *sums = reinterpret_cast<Vector*>(cells.data());
  split_rows(digits, b, groups);
  SecretVector<Digits> factors(n * n);
  std::ranges::transform(a.at, factors.begin(), split);
  FpVector out(entry_count(entries, n));
  SecretVector<u128> lanes(kLanes);
  std::size_t place = 0;  // index of the first entry of row i
  for (std::size_t i = 0; i < n; i += kRows) {
    const std::size_t second = std::min(i + 1, n - 1);  // with an odd number of rows, the last is computed twice
    const std::array<std::size_t, kRows> first{first_entry(entries, i), first_entry(entries, i + 1)};
    const std::array<std::size_t, kRows> row{place, place + (n - first[0])};
    for (std::size_t g = first[0] / kLanes; g < groups; ++g) {
      add_rows(sums, {&factors[i * n], &factors[second * n]}, digits + g * kDigits, groups * kDigits, n);
      for (std::size_t r = 0; r < kRows && i + r < n; ++r) {
        reduce_cell(lanes.data(), sums + r * kSums);
        for (std::size_t j = std::max(g * kLanes, first[r]); j < std::min(n, (g + 1) * kLanes); ++j)
          out[row[r] + j - first[r]] = Fp::reduce(lanes[j - g * kLanes]);
      }
    }
    place = row[1] + (n - first[1]);
  }
  return out;
}

}  // namespace pgmpc

#else

namespace pgmpc {

FpVector product_ifma(const Matrix&, const Matrix&, Entries) {
  throw Error(ErrorCode::not_supported, "this processor has no AVX512-IFMA instructions");
}

}  // namespace pgmpc

#endif
