// Both kernels of the Gram matrix and of products of matrices against plain sums of products.
#include "algebra/gram.h"

#include <gmp.h>
#include <gtest/gtest.h>

#include <functional>

#include "algebra/matrix.h"
#include "sharing/shamir.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

using Columns = std::vector<FpVector>;

std::vector<KernelKind> kernels() {
  std::vector<KernelKind> out = {KernelKind::portable};
  if (ifma_supported()) out.push_back(KernelKind::ifma);
  return out;
}

Columns make_columns(std::size_t count, std::size_t rows, const std::function<Fp(std::size_t, std::size_t)>& value) {
  Columns out;
  for (std::size_t j = 0; j < count; ++j) {
    out.emplace_back(rows);
    for (std::size_t r = 0; r < rows; ++r) out.back()[r] = value(j, r);
  }
  return out;
}

// sum_r a[r] * b[r] mod p by GMP, the independent oracle.
u128 sum_by_gmp(const FpVector& a, const FpVector& b) {
  mpz_t x, y, sum, p;
  mpz_inits(x, y, sum, p, nullptr);
  mpz_ui_pow_ui(p, 2, 127);
  mpz_sub_ui(p, p, 1);
  for (std::size_t r = 0; r < a.size(); ++r) {
    mpz_import(x, 1, -1, 16, 0, 0, &a[r].v);
    mpz_import(y, 1, -1, 16, 0, 0, &b[r].v);
    mpz_addmul(sum, x, y);
  }
  mpz_mod(sum, sum, p);
  u128 out = 0;
  mpz_export(&out, nullptr, -1, 16, 0, 0, sum);
  mpz_clears(x, y, sum, p, nullptr);
  return out;
}

void expect_gram(const Columns& columns, const std::string& what) {
  const CancelToken cancel;
  for (const KernelKind kind : kernels()) {
    const FpVector sums = gram(columns, cancel, kind);
    ASSERT_EQ(sums.size(), triangle_size(columns.size()));
    std::size_t at = 0;
    for (std::size_t i = 0; i < columns.size(); ++i)
      for (std::size_t j = i; j < columns.size(); ++j, ++at)
        ASSERT_TRUE(sums[at].v == sum_by_gmp(columns[i], columns[j]))
            << what << ", kernel " << static_cast<int>(kind) << ", cell " << i << ", " << j;
  }
}

TEST(Gram, AgreesWithGmpForEveryNumberOfRows) {
  TestRng rng(1);
  for (const std::size_t rows : {0, 1, 7, 8, 9, 255, 256, 257, 4095, 4096, 4097, 8200})
    expect_gram(make_columns(3, rows, [&](std::size_t, std::size_t) { return random_element(rng); }),
                std::to_string(rows) + " rows");
}

TEST(Gram, AgreesWithGmpForEveryNumberOfColumns) {
  TestRng rng(2);
  for (std::size_t count = 1; count <= 10; ++count)
    expect_gram(make_columns(count, 100, [&](std::size_t, std::size_t) { return random_element(rng); }),
                std::to_string(count) + " columns");
  EXPECT_TRUE(gram({}, CancelToken()).empty());
}

// The largest sums that the unreduced digits must hold: whole blocks of elements whose digits are all ones.
TEST(Gram, HoldsTheLargestSums) {
  const std::vector<u128> extremes = {kPrime - 1, (u128{1} << 104) - 1, (u128{1} << 52) - 1,
                                      ((u128{1} << 52) - 1) << 52, kPrime >> 1};
  for (const std::size_t rows : {4096, 8192, 9000})
    expect_gram(
        make_columns(extremes.size(), rows, [&](std::size_t j, std::size_t) { return Fp::reduce(extremes[j]); }),
        std::to_string(rows) + " extreme rows");
}

TEST(Gram, EdgeValuesInEveryPlace) {
  TestRng rng(3);
  const std::vector<u128> edges = {
      0, 1, 2, kPrime - 1, kPrime - 2, ~0ull, u128{1} << 52, u128{1} << 64, u128{1} << 104};
  for (std::size_t shift = 0; shift < edges.size(); ++shift)
    expect_gram(make_columns(4, 19,
                             [&](std::size_t j, std::size_t r) {
                               return Fp::reduce(edges[(r * (j + 1) + shift) % edges.size()]);
                             }),
                "edges");
}

TEST(Gram, KernelsGiveTheSameBits) {
  if (!ifma_supported()) GTEST_SKIP() << "no AVX512-IFMA here";
  TestRng rng(4);
  const Columns columns = make_columns(31, 20001, [&](std::size_t, std::size_t) { return random_element(rng); });
  const CancelToken cancel;
  const FpVector portable = gram(columns, cancel, KernelKind::portable), ifma = gram(columns, cancel, KernelKind::ifma);
  ASSERT_EQ(portable.size(), ifma.size());
  for (std::size_t i = 0; i < portable.size(); ++i) ASSERT_TRUE(portable[i].v == ifma[i].v) << i;
}

Matrix make_matrix(std::size_t size, const std::function<Fp(std::size_t, std::size_t)>& value) {
  Matrix out(size);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) out(i, j) = value(i, j);
  return out;
}

void expect_product(const Matrix& a, const Matrix& b) {
  Matrix expected(a.size);
  for (std::size_t i = 0; i < a.size; ++i)
    for (std::size_t j = 0; j < a.size; ++j) {
      FpVector row(a.size), column(a.size);
      for (std::size_t k = 0; k < a.size; ++k) {
        row[k] = a(i, k);
        column[k] = b(k, j);
      }
      expected(i, j) = Fp::reduce(sum_by_gmp(row, column));
    }
  for (const KernelKind kind : kernels()) {
    const std::string what = "size " + std::to_string(a.size) + ", kernel " + std::to_string(static_cast<int>(kind));
    EXPECT_TRUE(product(a, b, Entries::all, kind) == expected.at) << what;
    EXPECT_TRUE(product(a, b, Entries::upper, kind) == upper(expected)) << what << ", upper triangle";
  }
}

TEST(Product, AgreesWithGmpForEverySize) {
  TestRng rng(5);
  for (const std::size_t size : {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 48}) {
    FpVector triangle(triangle_size(size));
    for (Fp& x : triangle) x = random_element(rng);
    expect_product(make_matrix(size, [&](std::size_t, std::size_t) { return random_element(rng); }),
                   from_upper(triangle, size));
  }
}

// All digits ones, and elements beside 0 and p: the reduction of a cell must not lose a carry.
TEST(Product, ExtremeElements) {
  const std::vector<u128> edges = {kPrime - 1,         0, 1, kPrime - 2, (u128{1} << 104) - 1, ~0ull, u128{1} << 52,
                                   (u128{1} << 52) - 1};
  for (const std::size_t size : {19, 200}) {
    const Matrix most = make_matrix(size, [&](std::size_t, std::size_t) { return Fp::reduce(edges[0]); });
    expect_product(most, most);
    if (size > 100) continue;  // the oracle is slow
    expect_product(most, make_matrix(size, [&](std::size_t i, std::size_t j) {
                     return Fp::reduce(edges[(i + j) % edges.size()]);
                   }));
  }
}

TEST(Gram, StopsWhenCancelled) {
  const Columns columns = make_columns(2, 10, [](std::size_t, std::size_t) { return Fp::from_int(1); });
  CancelToken cancel;
  cancel.cancel();
  for (const KernelKind kind : kernels()) EXPECT_THROW(gram(columns, cancel, kind), Error);
}

}  // namespace
}  // namespace pgmpc
