// Implements bignum/secret_power.h.
#include "bignum/secret_power.h"

#include <algorithm>
#include <utility>

#include "base/constant_time.h"

namespace pgmpc {

namespace {

constexpr std::size_t kWindow = 4, kEntries = std::size_t{1} << kWindow, kLast = kEntries - 1;

// Returns the digit of window w. Which limb is read depends on w alone.
std::size_t digit(const Limbs& exponent, std::size_t window) {
  const std::size_t bit = window * kWindow;
  return exponent[bit / 64] >> bit % 64 & kLast;
}

std::size_t window_count(const Limbs& exponent) { return exponent.size() * 64 / kWindow; }

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

SecretPower::SecretPower(const Integer& prime, const PairModulus& modulus) {
  const PairKernel& kernel = modulus.kernel();
  const std::size_t n = kernel.limbs(), part = kernel.part_size();
  Integer rest, power, sums[kEntries];
  mpz_sub_ui(rest, prime, kEntries);
  windows_ = limbs_of(rest, n);
  mpz_setbit(power, kernel.radix_bits());
  for (std::size_t w = 0; w < window_count(windows_); ++w) {
    mpz_mod(power, power, prime);
    Integer& sum = sums[digit(windows_, w)];
    mpz_add(sum, sum, power);
    mpz_mul_2exp(power, power, kWindow);
  }
  weights_ = KernelWords(kEntries * part);
  for (std::size_t i = 0; i < kEntries; ++i) {
    mpz_mod(sums[i], sums[i], prime);
    const Limbs weight = limbs_of(sums[i], n);
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      kernel.load_part(weights_.data() + i * part, lane, weight.data());
  }
}

std::size_t SecretPower::scratch(const PairKernel& kernel) const {
  return kEntries * (kernel.batch_size() + kernel.part_size()) + 2 * kernel.batch_size() + 3 * kernel.part_size();
}

void SecretPower::raise(KernelWord* out, const KernelWord* base, const PairModulus& modulus, KernelWork& work,
                        KernelWord* scratch) const {
  const PairKernel& kernel = modulus.kernel();
  const std::size_t size = kernel.batch_size(), part = kernel.part_size(), windows = window_count(windows_);
  KernelWord *table = scratch, *residues = table + kEntries * size, *power = residues + kEntries * part,
             *next = power + size, *factor = next + size, *weighted = factor + part, *sum = weighted + part;
  build_table(table, base, modulus, work);
  for (std::size_t i = 0; i < kEntries; ++i) std::copy_n(table + i * size, part, residues + i * part);

  kernel.select(power, residues, kEntries, digit(windows_, windows - 1));
  std::fill_n(power + part, part, KernelWord{});
  for (std::size_t window = windows - 1; window-- > 0;) {
    for (std::size_t i = 0; i < kWindow; ++i) {
      kernel.square(next, power, work);
      std::swap(power, next);
    }
    kernel.select(factor, residues, kEntries, digit(windows_, window));
    kernel.multiply_residue(next, power, factor, work);
    std::swap(power, next);
  }

  for (std::size_t i = 0; i < kEntries; ++i) {
    kernel.multiply_part(factor, table + i * size + part, residues + (kLast - i) * part, work);
    kernel.multiply_part(i == 0 ? sum : weighted, factor, weights_.data() + i * part, work);
    if (i > 0) kernel.add_part(sum, weighted, work);
  }
  kernel.multiply_part(factor, sum, power, work);
  kernel.multiply(next, power, table + kLast * size, work);
  kernel.add_part(next + part, factor, work);
  kernel.multiply_residue(out, next, modulus.unit(), work);
}

#ifdef PG_MPC_CTIME
void SecretPower::mark_secrets() const {
  mark_secret(windows_.data(), windows_.size() * sizeof(mp_limb_t));
  mark_secret(weights_.data(), weights_.size() * sizeof(KernelWord));
}
#endif

}  // namespace pgmpc
