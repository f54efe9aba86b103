// Defines square matrices of shares and their local (communication-free) products.
//
// Invariants
// Matrices are row-major. The product of two degree-1 matrices has degree 2 and must pass one opening before the next
// product. Symmetric results are stored and sent as upper triangles. The two kernels of product, chosen as in
// base/cpu.h, return the same canonical elements.
#pragma once
#include <algorithm>
#include <span>

#include "base/cpu.h"
#include "sharing/field.h"

namespace pgmpc {

struct Matrix {
  std::size_t size = 0;
  FpVector at;
  Matrix() = default;
  explicit Matrix(std::size_t n) : size(n), at(n * n) {}
  Fp& operator()(std::size_t i, std::size_t j) { return at[i * size + j]; }
  const Fp& operator()(std::size_t i, std::size_t j) const { return at[i * size + j]; }
  Matrix clone() const {
    Matrix out;
    out.size = size;
    out.at = at.clone();
    return out;
  }
};

inline std::size_t triangle_size(std::size_t n) { return n * (n + 1) / 2; }
// Returns where the upper triangle of a symmetric n x n matrix has the entry (i, j), in either order.
inline std::size_t triangle_index(std::size_t i, std::size_t j, std::size_t n) {
  const auto [low, high] = std::minmax(i, j);
  return low * n - low * (low + 1) / 2 + high;
}

// Returns the sum of products, reduced once at the end. Degree 2 for degree-1 operands.
Fp inner_product(std::span<const Fp> a, std::span<const Fp> b);

// Which entries of a product to return: all, or the upper triangle (i <= j) when the caller knows that it is symmetric.
enum class Entries { all, upper };
inline std::size_t first_entry(Entries entries, std::size_t row) { return entries == Entries::upper ? row : 0; }
inline std::size_t entry_count(Entries entries, std::size_t n) {
  return entries == Entries::upper ? triangle_size(n) : n * n;
}

// Returns these entries of A*B, row by row. B must be stored as a symmetric matrix.
FpVector product(const Matrix& a, const Matrix& b, Entries entries, KernelKind kind = selected_kernel());
// The kernels that product() chooses from.
FpVector product_ifma(const Matrix& a, const Matrix& b, Entries entries);
FpVector product_portable(const Matrix& a, const Matrix& b, Entries entries);
FpVector upper(const Matrix& a);
// The reverse of upper(): a symmetric matrix.
Matrix from_upper(const FpVector& triangle, std::size_t size);

FpVector multiply(const Matrix& a, std::span<const Fp> v);

// Returns the rows and columns with the given indices, in the order given.
Matrix selected(const Matrix& a, std::span<const std::size_t> places);

}  // namespace pgmpc
