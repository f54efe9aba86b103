#include "regression/matrix.h"

#include <algorithm>

namespace pgmpc {

namespace {
// Lazy sum of folded products: low 128 bits and a count of carries (2^128 = 2 mod p).
struct Accumulator {
  u128 low = 0;
  std::uint64_t carries = 0;
  void add(u128 x) {
    low += x;
    carries += low < x;
  }
  Fp value() const { return Fp::reduce(low) + Fp::reduce(static_cast<u128>(carries) << 1); }
};
}  // namespace

Fp inner_product(std::span<const Fp> a, std::span<const Fp> b) {
  Accumulator sum;
  for (std::size_t i = 0; i < a.size(); ++i) sum.add(multiply_folded(a[i].v, b[i].v));
  return sum.value();
}

FpVector upper_product(const Matrix& a, const Matrix& b) {
  FpVector out;
  out.reserve(triangle_size(a.size));
  for (std::size_t i = 0; i < a.size; ++i)
    for (std::size_t j = i; j < a.size; ++j)  // b is symmetric: its row j is its column j
      out.push_back(inner_product({&a.at[i * a.size], a.size}, {&b.at[j * a.size], a.size}));
  return out;
}

FpVector upper(const Matrix& a) {
  FpVector out;
  out.reserve(triangle_size(a.size));
  for (std::size_t i = 0; i < a.size; ++i)
    for (std::size_t j = i; j < a.size; ++j) out.push_back(a(i, j));
  return out;
}

Matrix from_upper(const FpVector& triangle, std::size_t size) {
  Matrix out(size);
  std::size_t at = 0;
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = i; j < size; ++j) out(i, j) = out(j, i) = triangle[at++];
  return out;
}

FpVector multiply(const Matrix& a, std::span<const Fp> v) {
  FpVector out(a.size);
  for (std::size_t i = 0; i < a.size; ++i) out[i] = inner_product({&a.at[i * a.size], a.size}, v);
  return out;
}

FpVector gram(std::span<const FpVector> columns, const CancelToken& cancel) {
  const std::size_t d = columns.size(), rows = columns.empty() ? 0 : columns[0].size();
  FpVector sums(triangle_size(d));
  constexpr std::size_t kBlock = 4096;  // rows of all columns that stay in cache together
  for (std::size_t first = 0; first < rows; first += kBlock) {
    cancel.check();
    const std::size_t count = std::min(kBlock, rows - first);
    std::size_t at = 0;
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = i; j < d; ++j)
        sums[at++] += inner_product({columns[i].data() + first, count}, {columns[j].data() + first, count});
  }
  return sums;
}

}  // namespace pgmpc
