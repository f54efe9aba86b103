// gram.1e6x31, gram.1e6x31.portable: the Gram matrix of 10^6 x 31 shares on one core by each kernel. It is the only
// part of the lasso whose cost grows with the number of records. Processor time, best of 5.
// Baseline: the same sums over double values in the same run, which is what a clear-text solver computes.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "algebra/gram.h"
#include "algebra/matrix.h"
#include "base/rng.h"
#include "report.h"

namespace {

using namespace pgmpc;

constexpr std::size_t kRows = 1000000, kColumns = 31;

struct Data {
  std::vector<FpVector> shares;
  std::vector<std::vector<double>> clear;
};

Data make_data() {
  Data data;
  data.clear.assign(kColumns, std::vector<double>(kRows));
  for (auto& clear : data.clear) {
    FpVector column(kRows);
    system_rng().fill({reinterpret_cast<std::uint8_t*>(column.data()), kRows * kFpBytes});
    for (std::size_t r = 0; r < kRows; ++r) {
      column[r] = Fp::reduce(column[r].v);
      clear[r] = static_cast<double>(static_cast<std::uint64_t>(column[r].v) >> 11);
    }
    data.shares.push_back(std::move(column));
  }
  return data;
}

// Computes plain sums of double values, blocked in the same way.
double clear_gram(const std::vector<std::vector<double>>& columns) {
  std::vector<double> sums(triangle_size(kColumns));
  for (std::size_t first = 0; first < kRows; first += kGramBlock) {
    const std::size_t last = std::min(kRows, first + kGramBlock);
    std::size_t at = 0;
    for (std::size_t i = 0; i < kColumns; ++i)
      for (std::size_t j = i; j < kColumns; ++j, ++at)
        for (std::size_t r = first; r < last; ++r) sums[at] += columns[i][r] * columns[j][r];
  }
  return sums[0];
}

void measure(const std::string& name, KernelKind kind, const Data& data) {
  const CancelToken cancel;
  double keep = 0;  // printed, so that the compiler keeps the loops
  double best = 1e9, clear = 1e9;
  for (int turn = 0; turn < 5; ++turn) {
    best = std::min(best, bench::cpu_seconds_of([&] { keep += gram(data.shares, cancel, kind)[0].v > 0; }));
    clear = std::min(clear, bench::cpu_seconds_of([&] { keep += clear_gram(data.clear); }));
  }
  std::fprintf(stderr, "%s: %g\n", name.c_str(), keep);
  bench::report(name, best, "s", {"double, same loops", clear}, bench::Better::less);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Selection selection(argc, argv);
  const std::string ifma = "gram.1e6x31", portable = "gram.1e6x31.portable";
  const bool wants_ifma = selection.wants(ifma) && ifma_supported(), wants_portable = selection.wants(portable);
  if (!wants_ifma && !wants_portable) return 0;
  const Data data = make_data();
  if (wants_ifma && wants_portable) {
    const CancelToken cancel;
    const FpVector a = gram(data.shares, cancel, KernelKind::ifma), b = gram(data.shares, cancel, KernelKind::portable);
    if (!std::ranges::equal(a, b)) {
      std::fprintf(stderr, "bench_gram: the kernels differ\n");
      return 1;
    }
  }
  if (wants_ifma) measure(ifma, KernelKind::ifma, data);
  if (wants_portable) measure(portable, KernelKind::portable, data);
  return 0;
}
