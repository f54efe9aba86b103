// Implements sums over the records of each level.
#include "disclosure/grouped_sums.h"

#include <algorithm>

#include "algebra/matrix.h"
#include "mpc/opening.h"

namespace pgmpc {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 18;  // values per round
constexpr int kGate = 3;

// Returns x^2 of every row, degree 1, 48 fractional bits. block: the number of the first round, which is advanced.
FpVector squares_of(const Fixed& fixed, const FpVector& column, std::uint32_t& block, const CancelToken& cancel) {
  FpVector out;
  for (std::size_t first = 0; first < column.size(); first += kBlock) {
    cancel.check();
    const std::size_t count = std::min(kBlock, column.size() - first);
    FpVector values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = column[first + i] * column[first + i];
    const FpVector part = truncate(fixed.session, fixed.label(Phase::moments, block++, kGate), values, 0, kSquareBound);
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

// Adds the sums of one pair.
LevelSums sums_of(const FpVector& group, const FpVector& column, const FpVector& squares,
                  const std::vector<std::size_t>& sizes) {
  const Fp one = inverse(shifted(Fp::from_int(1), kDataBits));  // a level enters as 0 or 2^24
  LevelSums out;
  std::size_t first = 0;
  for (const std::size_t size : sizes) {
    const std::span<const Fp> g(group.data() + first, size);
    Fp count;
    for (const Fp& each : g) count += each;
    out.count.push_back(count * one);
    out.linear.push_back(inner_product(g, {column.data() + first, size}) * one);
    out.square.push_back(inner_product(g, {squares.data() + first, size}) * one);
    first += size;
  }
  return out;
}

}  // namespace

GroupedSums grouped_sums(const Fixed& fixed, std::span<const FpVector> columns, const std::set<GroupedColumn>& pairs,
                         const std::vector<std::size_t>& sizes, const CancelToken& cancel) {
  std::set<std::size_t> numeric;
  for (const GroupedColumn& pair : pairs) numeric.insert(pair.column);
  GroupedSums out;
  std::uint32_t block = 0;
  for (const std::size_t column : numeric) {
    const FpVector squares = squares_of(fixed, columns[column], block, cancel);
    for (const GroupedColumn& pair : pairs)
      if (pair.column == column) out[pair] = sums_of(columns[pair.group], columns[column], squares, sizes);
  }
  return out;
}

}  // namespace pgmpc
