// Implements the AVX512-IFMA kernel of the Gram matrix: 8 rows at a time.
//
// Terms
// Digit and cell: see field_ifma.h. A vector holds the same digit of 8 rows. A group is 8 rows of one column, 3
// vectors. A stripe is kStripe rows of all columns as digits, so small that the columns of a tile stay in the
// first-level cache. A tile is the products of two columns with two columns, 4 cells.
//
// Invariants
// A row adds at most 5 halves below 2^52 to one sum. A lane takes kGramBlock / 8 rows before the cells are reduced:
// 5 * 512 * 2^52 < 2^64, so no sum overflows. Rows that are missing in the last group are zeros, and so is the column
// that makes the number of columns even. Nothing depends on the values of elements.
#include <algorithm>

#include "algebra/gram.h"
#include "algebra/matrix.h"
#include "base/error.h"

#if defined(__x86_64__)

#include "algebra/field_ifma.h"

namespace pgmpc {

namespace {

using ifma::add_products;
using ifma::kDigitBits;
using ifma::kDigits;
using ifma::kLanes;
using ifma::kSums;
using ifma::split_group;
using ifma::Vector;

constexpr std::size_t kTileCells = 4;
constexpr std::size_t kStripe = 256, kGroups = kStripe / kLanes;  // 4 columns: 24 kB
constexpr std::size_t kTileVectors = kTileCells * kSums, kColumnVectors = kGroups * kDigits;
static_assert(kGramBlock % kStripe == 0 && kStripe % kLanes == 0);
static_assert(kGramBlock / kLanes * kSums < (std::uint64_t{1} << (64 - kDigitBits)));

// Splits one column of a stripe. Rows from `count` on are zeros.
PGMPC_IFMA void split_column(Vector* digits, const Fp* elements, std::size_t count) {
  const std::size_t whole = count / kLanes;
  for (std::size_t g = 0; g < whole; ++g) split_group(digits + g * kDigits, elements + g * kLanes);
  if (count % kLanes == 0) return;
  FpVector rest(kLanes);
  std::copy_n(elements + whole * kLanes, count % kLanes, rest.begin());
  split_group(digits + whole * kDigits, rest.data());
}

// Adds the cells (0,0), (0,1), (1,0), (1,1) of columns a, a + 1 with b, b + 1. 20 sums and 6 digits fit the registers.
PGMPC_IFMA void add_tile(Vector* tile, const Vector* a, const Vector* b, std::size_t groups) {
  Vector cells[kTileVectors];
#pragma GCC unroll 32
  for (std::size_t k = 0; k < kTileVectors; ++k) cells[k] = tile[k];
  for (std::size_t g = 0; g < groups; ++g) {
    const Vector *a0 = a + g * kDigits, *a1 = a0 + kColumnVectors, *b0 = b + g * kDigits, *b1 = b0 + kColumnVectors;
    add_products(cells, a0, b0);
    add_products(cells + kSums, a0, b1);
    add_products(cells + 2 * kSums, a1, b0);
    add_products(cells + 3 * kSums, a1, b1);
  }
#pragma GCC unroll 32
  for (std::size_t k = 0; k < kTileVectors; ++k) tile[k] = cells[k];
}

// Returns the element that a cell represents.
Fp reduce_cell(const KernelWord* cell) {
  Fp out;
  for (std::size_t k = 0; k < kSums; ++k) {
    u128 sum = 0;
    for (std::size_t lane = 0; lane < kLanes; ++lane) sum += cell[k].lane[lane];
    out += Fp::reduce(sum) * Fp::reduce(static_cast<u128>(1) << k * kDigitBits % 127);  // 2^127 = 1
  }
  return out;
}

// Holds the cells of all tiles, and the digits of one stripe.
class Work {
 public:
  explicit Work(std::size_t columns)
      : columns_(columns),
        pairs_((columns + 1) / 2),
        digits_(2 * pairs_ * kColumnVectors),
        cells_(triangle_size(pairs_) * kTileVectors) {}

  void add_stripe(std::span<const FpVector> columns, std::size_t first, std::size_t count) {
    for (std::size_t j = 0; j < columns_; ++j) split_column(column(j), columns[j].data() + first, count);
    Vector* tile = reinterpret_cast<Vector*>(cells_.data());
    for (std::size_t i = 0; i < pairs_; ++i)
      for (std::size_t j = i; j < pairs_; ++j, tile += kTileVectors)
        add_tile(tile, column(2 * i), column(2 * j), (count + kLanes - 1) / kLanes);
  }

  // Adds the values of the cells to the upper triangle, and clears the cells.
  void reduce_into(FpVector& sums) {
    const KernelWord* tile = cells_.data();
    for (std::size_t i = 0; i < pairs_; ++i)
      for (std::size_t j = i; j < pairs_; ++j, tile += kTileVectors)
        for (std::size_t k = 0; k < kTileCells; ++k) {
          const std::size_t row = 2 * i + k / 2, column = 2 * j + k % 2;
          if (row <= column && column < columns_) sums[triangle_index(row, column)] += reduce_cell(tile + k * kSums);
        }
    std::ranges::fill(cells_, KernelWord{});
  }

 private:
  Vector* column(std::size_t j) { return reinterpret_cast<Vector*>(digits_.data()) + j * kColumnVectors; }
  std::size_t triangle_index(std::size_t i, std::size_t j) const {
    return triangle_size(columns_) - triangle_size(columns_ - i) + j - i;
  }

  std::size_t columns_, pairs_;
  KernelWords digits_, cells_;
};

}  // namespace

FpVector gram_ifma(std::span<const FpVector> columns, const CancelToken& cancel) {
  if (!ifma_supported()) throw Error(ErrorCode::not_supported, "this processor has no AVX512-IFMA instructions");
  const std::size_t rows = columns.empty() ? 0 : columns[0].size();
  FpVector sums(triangle_size(columns.size()));
  Work work(columns.size());
  for (std::size_t first = 0; first < rows; first += kGramBlock) {
    cancel.check();
    const std::size_t last = std::min(rows, first + kGramBlock);
    for (std::size_t at = first; at < last; at += kStripe) work.add_stripe(columns, at, std::min(kStripe, last - at));
    work.reduce_into(sums);
  }
  return sums;
}

}  // namespace pgmpc

#else

namespace pgmpc {

FpVector gram_ifma(std::span<const FpVector>, const CancelToken&) {
  throw Error(ErrorCode::not_supported, "this processor has no AVX512-IFMA instructions");
}

}  // namespace pgmpc

#endif
