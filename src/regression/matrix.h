// What: square matrices of shares and the local (communication-free) products of them.
// Invariants: row-major; the product of two degree-1 matrices has degree 2 and must pass one opening before the next
//             product; symmetric results travel as upper triangles. Two kernels of upper_product, chosen as in
//             crypto/kernel.h, return the same canonical elements.
#pragma once
#include <span>

#include "crypto/kernel.h"
#include "sharing/field.h"

namespace pgmpc {

struct Matrix {
  std::size_t size = 0;
  FpVector at;
  explicit Matrix(std::size_t n = 0) : size(n), at(n * n) {}
  Fp& operator()(std::size_t i, std::size_t j) { return at[i * size + j]; }
  const Fp& operator()(std::size_t i, std::size_t j) const { return at[i * size + j]; }
  Matrix clone() const {
    Matrix out;
    out.size = size;
    out.at = at.clone();
    return out;
  }
};

// Sum of products with one reduction at the end. Degree 2 for degree-1 operands.
Fp inner_product(std::span<const Fp> a, std::span<const Fp> b);

// Upper triangle (i <= j, row by row) of A*B, which the caller knows to be symmetric. B symmetric as stored.
FpVector upper_product(const Matrix& a, const Matrix& b, KernelKind kind = selected_kernel());
// The kernels that it chooses from.
FpVector upper_product_ifma(const Matrix& a, const Matrix& b);
FpVector upper_product_portable(const Matrix& a, const Matrix& b);
FpVector upper(const Matrix& a);
Matrix from_upper(const FpVector& triangle, std::size_t size);
inline std::size_t triangle_size(std::size_t n) { return n * (n + 1) / 2; }

FpVector multiply(const Matrix& a, std::span<const Fp> v);

}  // namespace pgmpc
