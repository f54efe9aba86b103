// gram.1e6x31: the Gram matrix of 10^6 x 31 shares on one core, the only part of the lasso whose cost grows with the
// number of records. Baseline: the same sums over double values in the same run (what a clear-text solver computes).
#include <vector>

#include "base/rng.h"
#include "regression/matrix.h"
#include "report.h"
#include "sharing/shamir.h"

namespace {

constexpr std::size_t kRows = 1000000, kColumns = 31, kBlock = 4096;

// Plain sums, blocked in the same way.
double clear_gram(const std::vector<std::vector<double>>& columns) {
  std::vector<double> sums(pgmpc::triangle_size(kColumns));
  for (std::size_t first = 0; first < kRows; first += kBlock) {
    const std::size_t last = std::min(kRows, first + kBlock);
    std::size_t at = 0;
    for (std::size_t i = 0; i < kColumns; ++i)
      for (std::size_t j = i; j < kColumns; ++j, ++at)
        for (std::size_t r = first; r < last; ++r) sums[at] += columns[i][r] * columns[j][r];
  }
  return sums[0];
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = "gram.1e6x31.portable";
  if (!pgmpc::bench::Selection(argc, argv).wants(name)) return 0;
  std::vector<pgmpc::FpVector> columns;
  std::vector<std::vector<double>> clear(kColumns, std::vector<double>(kRows));
  for (std::size_t j = 0; j < kColumns; ++j) {
    pgmpc::FpVector column(kRows);
    pgmpc::system_rng().fill({reinterpret_cast<std::uint8_t*>(column.data()), kRows * pgmpc::kFpBytes});
    for (std::size_t r = 0; r < kRows; ++r) {
      column[r] = pgmpc::Fp::reduce(column[r].v);
      clear[j][r] = static_cast<double>(static_cast<std::uint64_t>(column[r].v) >> 11);
    }
    columns.push_back(std::move(column));
  }
  pgmpc::CancelToken cancel;
  double keep = 0;
  const auto turns = pgmpc::bench::in_turns(
      1.0, [&] { keep += static_cast<double>(pgmpc::gram(columns, cancel)[0].v); }, [&] { keep += clear_gram(clear); });
  if (keep == 0) return 1;  // the sums are used: the compiler may not drop the loops
  pgmpc::bench::report(name, turns.first / turns.count, "s", {"double, same loops", turns.second / turns.count},
                       pgmpc::bench::Better::less);
  return 0;
}
