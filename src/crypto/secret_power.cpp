// What: the body of crypto/secret_power.h.
#include "crypto/secret_power.h"

#include <algorithm>

namespace pgmpc {

namespace {

constexpr std::size_t kWindow = kSecretWindow, kEntries = kSecretEntries;

// Window w of the exponent; which limbs are read depends on w alone.
std::size_t digit(const Limbs& exponent, std::size_t window) {
  const std::size_t bit = window * kWindow, limb = bit / 64, shift = bit % 64;
  mp_limb_t value = exponent[limb] >> shift;
  if (shift > 64 - kWindow && limb + 1 < exponent.size()) value |= exponent[limb + 1] << (64 - shift);
  return value & (kEntries - 1);
}

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
  const std::size_t size = kernel.batch_size(), windows = (exponent.size() * 64 + kWindow - 1) / kWindow;
  KernelWord *table = scratch, *factor = table + kEntries * size, *other = factor + size;
  build_table(table, base, modulus, work);
  // Every product changes the places of out and other; the last one must end in out.
  const bool even = (windows - 1) * (kWindow + 1) % 2 == 0;
  KernelWord *power = even ? out : other, *next = even ? other : out;
  kernel.select(power, table, kEntries, digit(exponent, windows - 1));
  for (std::size_t window = windows - 1; window-- > 0;) {
    for (std::size_t i = 0; i < kWindow; ++i) {
      kernel.square(next, power, work);
      std::swap(power, next);
    }
    kernel.select(factor, table, kEntries, digit(exponent, window));
    kernel.multiply(next, power, factor, work);
    std::swap(power, next);
  }
}

}  // namespace pgmpc
