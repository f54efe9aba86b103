// What: the body of crypto/secret_power.h.
#include "crypto/secret_power.h"

#include <algorithm>

namespace pgmpc {

namespace {

constexpr std::size_t kWindow = 4, kEntries = std::size_t{1} << kWindow;
static_assert(64 % kWindow == 0, "no window lies across limbs");

// table[i] = base^i.
void build_table(KernelWord* table, const KernelWord* base, const PairModulus& modulus, KernelWork& work) {
  const PairKernel& kernel = modulus.kernel();
  const std::size_t size = kernel.batch_size();
  std::copy_n(modulus.one(), size, table);
  std::copy_n(base, size, table + size);
  for (std::size_t i = 2; i < kEntries; ++i) {
    if (i % 2 == 0)
      kernel.square(table + i * size, table + i / 2 * size, work);
    else
      kernel.multiply(table + i * size, table + (i - 1) * size, base, work);
  }
}

}  // namespace

void secret_power(KernelWord* out, const KernelWord* base, const Limbs& exponent, const PairModulus& modulus,
                  KernelWork& work, KernelWord* scratch) {
  const PairKernel& kernel = modulus.kernel();
  const std::size_t size = kernel.batch_size(), windows = exponent.size() * 64 / kWindow;
  KernelWord *table = scratch, *factor = table + kEntries * size, *other = factor + size;
  build_table(table, base, modulus, work);
  const auto digit = [&](std::size_t window) {
    return exponent[window * kWindow / 64] >> window * kWindow % 64 & (kEntries - 1);
  };
  // 5 products per window change the places of out and other, so the start depends on their number.
  KernelWord *power = (windows - 1) % 2 == 0 ? out : other, *next = power == out ? other : out;
  kernel.select(power, table, kEntries, digit(windows - 1));
  for (std::size_t window = windows - 1; window-- > 0;) {
    for (std::size_t i = 0; i < kWindow; ++i) {
      kernel.square(next, power, work);
      std::swap(power, next);
    }
    kernel.select(factor, table, kEntries, digit(window));
    kernel.multiply(next, power, factor, work);
    std::swap(power, next);
  }
}

}  // namespace pgmpc
