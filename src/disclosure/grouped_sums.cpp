// Implements sums over the records of each level.
#include "disclosure/grouped_sums.h"

#include <algorithm>

#include "algebra/matrix.h"
#include "mpc/opening.h"

namespace pgmpc {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 18;  // values per round
constexpr int kGate = 3;

// Returns x^2 of every row of some columns, one column after the other: degree 1, 48 fractional bits. block: the number
// of the first round, which is advanced.
FpVector squares_of(const Fixed& fixed, std::span<const FpVector> columns, std::span<const std::size_t> batch,
                    std::uint32_t& block, const CancelToken& cancel) {
  const std::size_t rows = columns[batch[0]].size(), total = rows * batch.size();
  FpVector out;
  for (std::size_t first = 0; first < total; first += kBlock) {
    cancel.check();
    FpVector values(std::min(kBlock, total - first));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Fp& x = columns[batch[(first + i) / rows]][(first + i) % rows];
      values[i] = x * x;
    }
    const FpVector part = truncate(fixed.session, fixed.label(Phase::moments, block++, kGate), values, 0, kSquareBound);
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

// Adds up one pair. squares: of the column.
LevelSums sums_of(const FpVector& group, const FpVector& column, std::span<const Fp> squares,
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
  std::set<std::size_t> distinct;
  for (const GroupedColumn& pair : pairs) distinct.insert(pair.column);
  const std::vector<std::size_t> numeric(distinct.begin(), distinct.end());
  GroupedSums out;
  if (numeric.empty()) return out;
  const std::size_t rows = columns[0].size(), at_once = std::max<std::size_t>(1, kBlock / rows);
  std::uint32_t block = 0;
  for (std::size_t first = 0; first < numeric.size(); first += at_once) {
    const std::span<const std::size_t> batch(&numeric[first], std::min(at_once, numeric.size() - first));
    const FpVector squares = squares_of(fixed, columns, batch, block, cancel);
    for (std::size_t k = 0; k < batch.size(); ++k)
      for (const GroupedColumn& pair : pairs)
        if (pair.column == batch[k])
          out[pair] = sums_of(columns[pair.group], columns[batch[k]], {squares.data() + k * rows, rows}, sizes);
  }
  return out;
}

}  // namespace pgmpc
