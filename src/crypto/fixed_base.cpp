// What: the bodies of crypto/fixed_base.h. The rows of 8 windows are built side by side in the lanes of one batch.
#include "crypto/fixed_base.h"

#include <sys/mman.h>

#include <algorithm>

namespace pgmpc {

namespace {

constexpr std::size_t kWidest = 8, kNarrowest = 4;
constexpr std::size_t kWord = sizeof(std::uint64_t), kCacheLine = 64, kPage = 4096;

std::size_t windows_of(std::size_t exponent_bits, std::size_t window) { return (exponent_bits + window - 1) / window; }

std::size_t widest_window(std::size_t exponent_bits, std::size_t entry_bytes, std::size_t table_bytes) {
  std::size_t window = kWidest;
  while (window > kNarrowest && (windows_of(exponent_bits, window) << window) * entry_bytes > table_bytes) --window;
  return window;
}

}  // namespace

FixedBase::FixedBase(const PairModulus& modulus, const Limbs& base, std::size_t exponent_bits, std::size_t table_bytes)
    : modulus_(&modulus),
      exponent_bits_(exponent_bits),
      entry_size_(modulus.kernel().entry_size()),
      window_(widest_window(exponent_bits, entry_size_ * kWord, table_bytes)),
      windows_(windows_of(exponent_bits, window_)) {
  reserve_table();
  build(base);
}

// Huge pages where the system grants them on request: entries are read all over the table.
void FixedBase::reserve_table() {
  const std::size_t words = (windows_ << window_) * entry_size_ * kWord / sizeof(KernelWord);
  table_.reserve(words);
  const auto begin = (reinterpret_cast<std::uintptr_t>(table_.data()) + kPage - 1) / kPage * kPage;
  const auto end = reinterpret_cast<std::uintptr_t>(table_.data() + words) / kPage * kPage;
  if (begin < end)
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // a refusal costs speed only
  table_.resize(words);
}

void FixedBase::build(const Limbs& base) {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t size = kernel.batch_size();
  KernelWork one_lane = kernel.work(1);
  KernelWords step = modulus_->spread(base), next(size), bases(size),
              one_entry(entry_size_ * kWord / sizeof(KernelWord));
  KernelWords group(kKernelLanes * one_entry.size());
  std::uint64_t* slots[kKernelLanes];
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
    slots[lane] = reinterpret_cast<std::uint64_t*>(group.data()) + lane * entry_size_;
  for (std::size_t first = 0; first < windows_; first += kKernelLanes) {
    const std::size_t rows = std::min(kKernelLanes, windows_ - first);
    for (std::size_t row = 0; row < rows; ++row) {
      kernel.scatter(&slots[row], step.data(), 1);
      for (std::size_t bit = 0; bit < window_; ++bit) {
        kernel.square(next.data(), step.data(), one_lane);
        step.swap(next);
      }
    }
    kernel.gather(bases.data(), slots, rows);
    KernelWork work = kernel.work(rows);
    build_rows(first, rows, bases.data(), work);
  }
}

void FixedBase::build_rows(std::size_t first, std::size_t rows, const KernelWord* bases, KernelWork& work) {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t size = kernel.batch_size();
  KernelWords power(size), next(size);
  std::copy_n(modulus_->one(), size, power.data());
  for (std::size_t digit = 0; digit < std::size_t{1} << window_; ++digit) {
    std::uint64_t* to[kKernelLanes];
    for (std::size_t row = 0; row < rows; ++row) to[row] = entry(first + row, digit);
    kernel.scatter(to, power.data(), rows);
    kernel.multiply(next.data(), power.data(), bases, work);
    power.swap(next);
  }
}

std::size_t FixedBase::digit(const mp_limb_t* exponent, std::size_t window) const {
  const std::size_t bit = window * window_, limb = bit / 64, shift = bit % 64;
  mp_limb_t value = exponent[limb] >> shift;
  if (shift + window_ > 64 && limb + 1 < exponent_limbs()) value |= exponent[limb + 1] << (64 - shift);
  return value & ((mp_limb_t{1} << window_) - 1);
}

void FixedBase::find_entries(const std::uint64_t** out, const mp_limb_t* exponents, std::size_t window,
                             std::size_t lanes) const {
  for (std::size_t lane = 0; lane < lanes; ++lane)
    out[lane] = entry(window, digit(exponents + lane * exponent_limbs(), window));
}

void FixedBase::power(KernelWord* out, const mp_limb_t* exponents, KernelWork& work, KernelWord* scratch) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t size = kernel.batch_size(), lanes = work.lanes;
  // Ends in out: the two accumulators change places once per window after the first.
  KernelWord *factor = scratch, *power = windows_ % 2 == 1 ? out : scratch + size;
  KernelWord* next = windows_ % 2 == 1 ? scratch + size : out;
  const std::uint64_t *entries[kKernelLanes], *ahead[kKernelLanes];
  find_entries(entries, exponents, 0, lanes);
  for (std::size_t window = 0; window < windows_; ++window) {
    if (window + 1 < windows_) {
      find_entries(ahead, exponents, window + 1, lanes);
      for (std::size_t lane = 0; lane < lanes; ++lane)
        for (std::size_t at = 0; at < entry_size_; at += kCacheLine / kWord) __builtin_prefetch(ahead[lane] + at, 0, 2);
    }
    if (window == 0) {
      kernel.gather(power, entries, lanes);
    } else {
      kernel.gather(factor, entries, lanes);
      kernel.multiply(next, power, factor, work);
      std::swap(power, next);
    }
    std::swap_ranges(entries, entries + lanes, ahead);
  }
}

}  // namespace pgmpc
