// Implements the choice of the kernel and the portable kernel.
#include "algebra/gram.h"

#include <algorithm>

#include "algebra/matrix.h"

namespace pgmpc {

FpVector gram(std::span<const FpVector> columns, const CancelToken& cancel, KernelKind kind) {
  return kind == KernelKind::ifma ? gram_ifma(columns, cancel) : gram_portable(columns, cancel);
}

FpVector gram_portable(std::span<const FpVector> columns, const CancelToken& cancel) {
  const std::size_t d = columns.size(), rows = columns.empty() ? 0 : columns[0].size();
  FpVector sums(triangle_size(d));
  for (std::size_t first = 0; first < rows; first += kGramBlock) {
    cancel.check();
    const std::size_t count = std::min(kGramBlock, rows - first);
    std::size_t at = 0;
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = i; j < d; ++j)
        sums[at++] += inner_product({columns[i].data() + first, count}, {columns[j].data() + first, count});
  }
  return sums;
}

}  // namespace pgmpc
