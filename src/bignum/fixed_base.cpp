// Makes rows and multiplies records by their entries.
// The powers of a row are made 8 at a time, each with its inverse. The first batch has base^0 to base^7 in its lanes;
// each further one is the batch before times base^8.
#include "bignum/fixed_base.h"

#include <sys/mman.h>

#include <algorithm>

namespace pgmpc {

namespace {

constexpr std::size_t kNarrowest = 4, kWidest = 14, kWidestKept = 8;
constexpr std::size_t kDoublings = 4;                    // steps per window
constexpr std::size_t kPowerNumbers = 4;                 // bignum/kernel.h, power
constexpr std::size_t kProductCost = 7, kEntryCost = 8;  // in n^2 / 2 limb products: a record's product, an entry
constexpr std::size_t kRowShare = 8;                     // a row takes at most 1/8 of the memory
constexpr std::size_t kLeastAtOnce = 64;
constexpr std::size_t kGrain = 8;  // batches per unit of work of one thread
constexpr std::size_t kWord = sizeof(std::uint64_t), kCacheLine = 64, kPage = 4096;

std::size_t windows_of(std::size_t exponent_bits, std::size_t window) { return (exponent_bits + window - 1) / window; }

// Asks for huge pages, because entries are read from all over a table.
void reserve_rows(KernelWords& rows, std::size_t words) {
  rows.reserve(words);
  const auto begin = (reinterpret_cast<std::uintptr_t>(rows.data()) + kPage - 1) / kPage * kPage;
  const auto end = reinterpret_cast<std::uintptr_t>(rows.data() + words) / kPage * kPage;
  if (begin < end)
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // a refusal only costs speed
  rows.resize(words);
}

}  // namespace

FixedBase::FixedBase(const PairModulus& modulus, const Limbs& base, std::size_t exponent_bits, std::size_t memory,
                     std::size_t records)
    : modulus_(&modulus), exponent_bits_(exponent_bits) {
  choose_window(memory, records);
  make_steps(base);
  if (records == kRecordsOneByOne) keep_rows();
}

std::size_t FixedBase::row_bytes() const { return modulus_->kernel().entry_size() * kWord << window_; }

void FixedBase::choose_window(std::size_t memory, std::size_t records) {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t entry = kernel.entry_size() * kWord;
  window_ = kNarrowest;
  if (records == kRecordsOneByOne) {
    for (std::size_t w = kNarrowest; w <= kWidestKept; ++w)
      if ((windows_of(exponent_bits_, w) << w) * entry <= memory) window_ = w;
    records_at_once_ = kKernelLanes;
  } else {
    // The pair and the exponent of the caller with its random bytes, the pair in the kernel's form, the sum.
    const std::size_t record = kernel.batch_size() * sizeof(KernelWord) / kKernelLanes +
                               (2 * modulus_->limbs() + 2 * exponent_limbs() + kernel.sum_size()) * kWord;
    const std::size_t most = std::max(memory / 2 / record, kLeastAtOnce);
    const std::size_t parts = (records + most - 1) / most;
    records_at_once_ = ((records + parts - 1) / parts + kKernelLanes - 1) / kKernelLanes * kKernelLanes;
    const auto cost = [&](std::size_t w) {
      return windows_of(exponent_bits_, w) * (records_at_once_ * kProductCost + (kEntryCost << w));
    };
    for (std::size_t w = kNarrowest; w <= kWidest; ++w)
      if (entry << w <= memory / kRowShare && cost(w) < cost(window_)) window_ = w;
  }
  row_memory_ = memory / 2;
  windows_ = windows_of(exponent_bits_, window_);
}

const mp_limb_t* FixedBase::step(std::size_t window, std::size_t doubling) const {
  return steps_.data() + (window * kDoublings + doubling) * kPowerNumbers * modulus_->limbs();
}

// Squares base and 1 / base side by side, exponent_bits times, and keeps both pairs of the first steps of each window.
// The shift is the product of the powers base^(half a row) of all windows.
void FixedBase::make_steps(const Limbs& base) {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs();
  Limbs inverse(2 * n), pair(2 * n);
  modulus_->invert(inverse.data(), base.data());
  KernelWords power = modulus_->spread(base), next = modulus_->spread(inverse);
  KernelWork work = kernel.work(2);
  kernel.store(pair.data(), next.data(), 1, work);
  kernel.load(power.data(), 1, pair.data());
  shift_.resize(kernel.batch_size());
  std::copy_n(modulus_->one(), kernel.batch_size(), shift_.data());
  steps_.resize(windows_ * kDoublings * kPowerNumbers * n);
  for (std::size_t window = 0, bit = 0; window < windows_; ++bit) {
    const std::size_t at = bit - window * window_;
    for (std::size_t lane = 0; lane < 2 && at < kDoublings; ++lane) {
      mp_limb_t* to = steps_.data() + (window * kDoublings + at) * kPowerNumbers * n;
      kernel.store(pair.data(), power.data(), lane, work);
      std::copy_n(pair.data(), n, to + lane * n);
      std::copy_n(pair.data() + n, n, to + (2 + lane) * n);
    }
    if (at + 1 == row_bits(window)) {
      kernel.multiply(next.data(), shift_.data(), power.data(), work);
      shift_.swap(next);
    }
    if (at + 1 == window_) ++window;
    kernel.square(next.data(), power.data(), work);
    power.swap(next);
  }
  set_tails(steps_);
  // Until here the shift is in lane 0 only.
  kernel.store(pair.data(), shift_.data(), 0, work);
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) kernel.load(next.data(), lane, pair.data());
  work.lanes = kKernelLanes;
  kernel.start_product(shift_.data(), next.data(), work);
  make_identity();
}

// 1 in Montgomery form is R.
void FixedBase::make_identity() {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs();
  identity_.resize(kPowerNumbers * n);
  for (std::size_t part = 0; part < kPowerNumbers; ++part)
    std::copy_n(modulus_->one_pair().data() + part / 2 * n, n, identity_.data() + part * n);
  set_tails(identity_);
  KernelWords power(kernel.power_size());
  load_power(power.data(), 0, identity_.data());
  identity_entry_.resize(kernel.entry_size() * kWord / sizeof(KernelWord));
  std::uint64_t* to[kKernelLanes] = {reinterpret_cast<std::uint64_t*>(identity_entry_.data())};
  kernel.write_entries(to, power.data(), false);
}

// Turns the second parts x1 into tails: y + root x1 = y (1 + root x1 / y) with 1 / y = v / R^2, so the tail is -x1 v.
void FixedBase::set_tails(Limbs& powers) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs(), size = kernel.batch_size(), all = powers.size() / (kPowerNumbers * n);
  const auto limbs = static_cast<mp_size_t>(n);
  KernelWords batches(3 * size);
  KernelWord *second = batches.data(), *other = second + size, *product = other + size;
  Limbs pair(2 * n);
  for (std::size_t first = 0; first < all; first += kKernelLanes) {
    const std::size_t lanes = std::min(kKernelLanes, all - first);
    KernelWork work = kernel.work(lanes);
    for (std::size_t part = 0; part < 2; ++part) {
      mp_limb_t* numbers = powers.data() + first * kPowerNumbers * n;
      std::fill_n(second, 3 * size, KernelWord{});
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        kernel.load_part(second, lane, numbers + (lane * kPowerNumbers + 2 + part) * n);
        kernel.load_part(other, lane, numbers + (lane * kPowerNumbers + 1 - part) * n);
      }
      kernel.multiply(product, second, other, work);
      modulus_->enter(second, product, work);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        mp_limb_t* tail = numbers + (lane * kPowerNumbers + 2 + part) * n;
        kernel.store(pair.data(), second, lane, work);
        if (mpn_zero_p(pair.data(), limbs) != 0)
          std::fill_n(tail, n, mp_limb_t{0});
        else
          mpn_sub_n(tail, kernel.root().data(), pair.data(), limbs);
      }
    }
  }
}

void FixedBase::load_power(KernelWord* power, std::size_t lane, const mp_limb_t* numbers) const {
  const PairKernel& kernel = modulus_->kernel();
  for (std::size_t part = 0; part < kPowerNumbers; ++part)
    kernel.load_part(power + part * kernel.part_size(), lane, numbers + part * modulus_->limbs());
}

// Entry i is the power with exponent i - half.
void FixedBase::build_row(KernelWord* row, std::size_t window) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t size = kernel.power_size(), entry = kernel.entry_size();
  const std::size_t half = std::size_t{1} << (row_bits(window) - 1);
  KernelWork work = kernel.work();
  KernelWords powers(2 * size);
  KernelWord *power = powers.data(), *factor = power + size;
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) load_power(power, lane, identity_.data());
  for (std::size_t doubling = 0; doubling + 1 < kDoublings; ++doubling) {
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      load_power(factor, lane, lane >> doubling & 1 ? step(window, doubling) : identity_.data());
    kernel.advance(power, factor, work);
  }
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) load_power(factor, lane, step(window, kDoublings - 1));
  for (std::size_t at = 0; at <= half; at += kKernelLanes) {
    if (at != 0) kernel.advance(power, factor, work);
    std::uint64_t *to[kKernelLanes], *to_inverse[kKernelLanes];
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
      const std::size_t exponent = at + lane;
      auto* const middle = reinterpret_cast<std::uint64_t*>(row) + half * entry;
      to[lane] = exponent < half ? middle + exponent * entry : nullptr;
      to_inverse[lane] = exponent != 0 && exponent <= half ? middle - exponent * entry : nullptr;
    }
    kernel.write_entries(to, power, false);
    kernel.write_entries(to_inverse, power, true);
  }
}

void FixedBase::keep_rows() {
  reserve_rows(kept_, windows_ * row_words());
  for (std::size_t window = 0; window < windows_; ++window) build_row(kept_.data() + window * row_words(), window);
}

std::size_t FixedBase::digit(const mp_limb_t* exponent, std::size_t window) const {
  const std::size_t bit = window * window_, limb = bit / 64, shift = bit % 64;
  mp_limb_t value = exponent[limb] >> shift;
  if (shift + window_ > 64 && limb + 1 < exponent_limbs()) value |= exponent[limb + 1] << (64 - shift);
  return value & ((mp_limb_t{1} << window_) - 1);
}

// The records of one call, 8 to a batch. The last batch may use fewer lanes.
struct FixedBase::Batches {
  const mp_limb_t* exponents;
  std::size_t records;
  KernelWords products;
  KernelWords sums;

  std::size_t lanes(std::size_t batch) const { return std::min(kKernelLanes, records - batch * kKernelLanes); }
  std::uint64_t* sum(std::size_t record, std::size_t size) {
    return reinterpret_cast<std::uint64_t*>(sums.data()) + record * size;
  }
};

// Multiplies batches [begin, end) by their entries of `count` rows, the first of which belongs to window `first`. It
// takes two rows at a time; the identity stands in for a missing second one.
void FixedBase::multiply_rows(Batches& batches, const KernelWord* rows, std::size_t first, std::size_t count,
                              std::size_t begin, std::size_t end) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t entry_size = kernel.entry_size(), turns = (count + 1) / 2, steps = (end - begin) * turns;
  using Entries = const std::uint64_t* [2][kKernelLanes];
  Entries sets[2];
  const auto find = [&](Entries& entries, std::size_t at) {
    const std::size_t batch = begin + at / turns, lanes = batches.lanes(batch);
    for (std::size_t side = 0; side < 2; ++side) {
      const std::size_t row = at % turns * 2 + side;
      const auto* table = reinterpret_cast<const std::uint64_t*>(rows + row * row_words());
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const mp_limb_t* exponent = batches.exponents + (batch * kKernelLanes + lane) * exponent_limbs();
        entries[side][lane] = row < count ? table + digit(exponent, first + row) * entry_size
                                          : reinterpret_cast<const std::uint64_t*>(identity_entry_.data());
        for (std::size_t word = 0; word < entry_size; word += kCacheLine / kWord)
          __builtin_prefetch(entries[side][lane] + word, 0, 2);
      }
    }
  };
  KernelWork work = kernel.work();
  find(sets[0], 0);
  for (std::size_t at = 0; at < steps; ++at) {
    if (at + 1 < steps) find(sets[(at + 1) % 2], at + 1);
    const std::size_t batch = begin + at / turns;
    const Entries& now = sets[at % 2];
    work.lanes = batches.lanes(batch);
    kernel.multiply_entries(batches.products.data() + batch * kernel.batch_size(), now[0], now[1],
                            batches.sum(batch * kKernelLanes, kernel.sum_size()), work);
  }
}

void FixedBase::multiply(mp_limb_t* pairs, const mp_limb_t* exponents, std::size_t count, ThreadPool& pool,
                         const CancelToken& cancel) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs(), size = kernel.batch_size();
  const std::size_t all = (count + kKernelLanes - 1) / kKernelLanes;
  Batches batches{exponents, count, KernelWords(all * size), KernelWords(count * kernel.sum_size() / kKernelLanes)};
  for (std::size_t i = 0; i < all; ++i) std::copy_n(shift_.data(), size, batches.products.data() + i * size);

  const std::size_t fit = std::max<std::size_t>(2, row_memory_ / row_bytes());
  const std::size_t wanted = (static_cast<std::size_t>(pool.threads()) + 1) / 2 * 2;  // rows are used two at a time
  const std::size_t group = kept() ? windows_ : std::min({wanted, fit, windows_});
  KernelWords streamed;
  if (!kept()) reserve_rows(streamed, group * row_words());
  for (std::size_t first = 0; first < windows_; first += group) {
    const std::size_t rows = std::min(group, windows_ - first);
    if (!kept())
      pool.for_ranges(rows, 1, cancel, [&](std::size_t row, std::size_t) {
        build_row(streamed.data() + row * row_words(), first + row);
      });
    const KernelWord* table = kept() ? kept_.data() : streamed.data();
    pool.for_ranges(all, kGrain, cancel, [&](std::size_t begin, std::size_t end) {
      multiply_rows(batches, table, first, rows, begin, end);
    });
  }
  pool.for_ranges(all, kGrain, cancel, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) finish(pairs + i * kKernelLanes * 2 * n, batches, i);
  });
}

// pairs *= the product of a batch and 1 - root * z / R^2 for the sums z of its tails. The Montgomery form of that
// factor is R - root * z / R = (R mod root) + root * (R / root - z / R).
void FixedBase::finish(mp_limb_t* pairs, Batches& batches, std::size_t batch) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs(), size = kernel.batch_size(), lanes = batches.lanes(batch);
  const auto limbs = static_cast<mp_size_t>(n);
  const Limbs& one = modulus_->one_pair();
  KernelWork work = kernel.work(lanes);
  KernelWords words(3 * size);
  KernelWord *x = words.data(), *y = x + size, *z = y + size, *product = batches.products.data() + batch * size;
  Limbs scratch(2 * n + n + 1 + 2);
  mp_limb_t *factor = scratch.data(), *sum = factor + 2 * n, *quotient = sum + n + 1;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    kernel.store_sum(sum, batches.sum(batch * kKernelLanes + lane, kernel.sum_size()));
    mpn_tdiv_qr(quotient, factor, 0, sum, limbs + 1, kernel.root().data(), limbs);
    kernel.load_part(x, lane, factor);
  }
  kernel.multiply(y, x, modulus_->unit(), work);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    kernel.store(factor, y, lane, work);
    if (mpn_sub_n(factor + n, one.data() + n, factor, limbs) != 0)
      mpn_add_n(factor + n, factor + n, kernel.root().data(), limbs);
    std::copy_n(one.data(), n, factor);
    kernel.load(x, lane, factor);
  }
  kernel.finish_product(z, product, work);
  kernel.multiply(y, z, x, work);
  for (std::size_t lane = 0; lane < lanes; ++lane) kernel.load(x, lane, pairs + lane * 2 * n);
  kernel.multiply(product, y, x, work);
  for (std::size_t lane = 0; lane < lanes; ++lane) kernel.store(pairs + lane * 2 * n, product, lane, work);
}

}  // namespace pgmpc
