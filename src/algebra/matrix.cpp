// Implements the portable kernel of product and the other operations on matrices.
#include "algebra/matrix.h"

namespace pgmpc {

// (a0 + 2^64 a1)(b0 + 2^64 b1) = a0 b0 + (2 a1) b1 + 2^64 (a0 b1 + a1 b0), because 2^128 = 2 modulo p. Canonical
// elements have a1, b1 < 2^63, so 2 a1 fits 64 bits and the sum in brackets 128.
Fp inner_product(std::span<const Fp> a, std::span<const Fp> b) {
  FpSum sum, upper_sum;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::uint64_t a0 = static_cast<std::uint64_t>(a[i].v), a1 = static_cast<std::uint64_t>(a[i].v >> 64);
    const std::uint64_t b0 = static_cast<std::uint64_t>(b[i].v), b1 = static_cast<std::uint64_t>(b[i].v >> 64);
    sum.add(static_cast<u128>(a0) * b0);
    sum.add(static_cast<u128>(2 * a1) * b1);
    upper_sum.add(static_cast<u128>(a0) * b1 + static_cast<u128>(a1) * b0);
  }
  return sum.value() + upper_sum.value() * Fp::reduce(static_cast<u128>(1) << 64);
}

FpVector product(const Matrix& a, const Matrix& b, Entries entries, KernelKind kind) {
  return kind == KernelKind::ifma ? product_ifma(a, b, entries) : product_portable(a, b, entries);
}

FpVector product_portable(const Matrix& a, const Matrix& b, Entries entries) {
  FpVector out;
  out.reserve(entry_count(entries, a.size));
  for (std::size_t i = 0; i < a.size; ++i)
    for (std::size_t j = first_entry(entries, i); j < a.size; ++j)  // b is symmetric: its row j is its column j
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

Matrix selected(const Matrix& a, std::span<const std::size_t> places) {
  Matrix out(places.size());
  for (std::size_t i = 0; i < out.size; ++i)
    for (std::size_t j = 0; j < out.size; ++j) out(i, j) = a(places[i], places[j]);
  return out;
}

}  // namespace pgmpc
