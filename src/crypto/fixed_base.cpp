// What: the bodies of crypto/fixed_base.h. The powers of a row are made 8 at a time: base^0 to base^7 in the lanes of
//       one batch, then that batch times base^8 again and again.
#include "crypto/fixed_base.h"

#include <sys/mman.h>

#include <algorithm>

namespace pgmpc {

namespace {

constexpr std::size_t kNarrowest = 4, kWidest = 14, kWidestKept = 8;
constexpr std::size_t kDoublings = 4;                    // steps per window
constexpr std::size_t kProductCost = 4, kEntryCost = 6;  // n^2 limb products of a record's product and of an entry
constexpr std::size_t kRowShare = 8;                     // a row takes at most this part of the memory
constexpr std::size_t kLeastAtOnce = 64;
constexpr std::size_t kGrain = 8;  // batches per piece of work of one thread
constexpr std::size_t kWord = sizeof(std::uint64_t), kCacheLine = 64, kPage = 4096;

std::size_t windows_of(std::size_t exponent_bits, std::size_t window) { return (exponent_bits + window - 1) / window; }

// Huge pages where the system grants them on request: entries are read all over a table.
void reserve_rows(KernelWords& rows, std::size_t words) {
  rows.reserve(words);
  const auto begin = (reinterpret_cast<std::uintptr_t>(rows.data()) + kPage - 1) / kPage * kPage;
  const auto end = reinterpret_cast<std::uintptr_t>(rows.data() + words) / kPage * kPage;
  if (begin < end)
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // a refusal costs speed only
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
    // Pair and exponent of the caller with its random bytes, the pair in the kernel's form, the sum.
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
  return steps_.data() + (window * kDoublings + doubling) * 3 * modulus_->limbs();
}

// Squares base and 1 / base side by side, exponent_bits times. Of every step to keep: both parts of base^(2^k) and the
// first part of its inverse.
void FixedBase::make_steps(const Limbs& base) {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs();
  Limbs inverse(2 * n), pair(2 * n);
  modulus_->invert(inverse.data(), base.data());
  KernelWords power = modulus_->spread(base), next = modulus_->spread(inverse);
  KernelWork work = kernel.work(2);
  kernel.store(pair.data(), next.data(), 1, work);
  kernel.load(power.data(), 1, pair.data());
  steps_.resize(windows_ * kDoublings * 3 * n);
  for (std::size_t bit = 0; bit < windows_ * window_; ++bit) {
    if (bit % window_ < kDoublings) {
      mp_limb_t* to = steps_.data() + (bit / window_ * kDoublings + bit % window_) * 3 * n;
      kernel.store(pair.data(), power.data(), 0, work);
      std::copy_n(pair.data(), n, to);
      std::copy_n(pair.data() + n, n, to + 2 * n);
      kernel.store(pair.data(), power.data(), 1, work);
      std::copy_n(pair.data(), n, to + n);
    }
    kernel.square(next.data(), power.data(), work);
    power.swap(next);
  }
  finish_steps();
}

// The second parts x1 become tails, x1 * inverse / R: g R = x0 + root x1 = x0 (1 + root x1 / x0), and R / x0 = 1 / g,
// which is the inverse over R.
void FixedBase::finish_steps() {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs(), size = kernel.batch_size(), all = windows_ * kDoublings;
  KernelWords batches(3 * size);
  KernelWord *second = batches.data(), *inverse = second + size, *product = inverse + size;
  Limbs pair(2 * n);
  for (std::size_t first = 0; first < all; first += kKernelLanes) {
    const std::size_t lanes = std::min(kKernelLanes, all - first);
    KernelWork work = kernel.work(lanes);
    mp_limb_t* numbers = steps_.data() + first * 3 * n;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      kernel.load_part(second, lane, numbers + lane * 3 * n + 2 * n);
      kernel.load_part(inverse, lane, numbers + lane * 3 * n + n);
    }
    kernel.multiply(product, second, inverse, work);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      kernel.store(pair.data(), product, lane, work);
      std::copy_n(pair.data(), n, numbers + lane * 3 * n + 2 * n);
    }
  }
  // 1 in Montgomery form is R = (R mod root) (1 + root s) with s R = R / root, rounded down.
  const Limbs& one = modulus_->one_pair();
  identity_.resize(3 * n);
  std::copy_n(one.data(), n, identity_.data());
  std::copy_n(one.data(), n, identity_.data() + n);
  std::copy_n(one.data() + n, n, identity_.data() + 2 * n);
  start_ = identity_.clone();
  std::copy_n(kernel.root().data(), n, start_.data() + n);
  start_[n] -= 1;  // the root is odd
}

void FixedBase::load_power(KernelWord* power, std::size_t lane, const mp_limb_t* numbers) const {
  const PairKernel& kernel = modulus_->kernel();
  for (std::size_t part = 0; part < 3; ++part)
    kernel.load_part(power + part * kernel.part_size(), lane, numbers + part * modulus_->limbs());
}

void FixedBase::build_row(KernelWord* row, std::size_t window) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t size = kernel.power_size(), entry = kernel.entry_size();
  KernelWork work = kernel.work();
  KernelWords powers(2 * size);
  KernelWord *power = powers.data(), *factor = power + size;
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) load_power(power, lane, start_.data());
  for (std::size_t doubling = 0; doubling + 1 < kDoublings; ++doubling) {
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      load_power(factor, lane, lane >> doubling & 1 ? step(window, doubling) : identity_.data());
    kernel.advance(power, factor, work);
  }
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) load_power(factor, lane, step(window, kDoublings - 1));
  const std::size_t bits = std::min(window_, exponent_bits_ - window * window_);
  for (std::size_t at = 0; at < std::size_t{1} << bits; at += kKernelLanes) {
    if (at != 0) kernel.advance(power, factor, work);
    std::uint64_t* to[kKernelLanes];
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      to[lane] = reinterpret_cast<std::uint64_t*>(row) + (at + lane) * entry;
    kernel.write_entries(to, power, kKernelLanes);
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

// The records of one call: 8 to a batch, the lanes of the last one may be fewer.
struct FixedBase::Batches {
  const mp_limb_t* exponents;
  std::size_t records;
  KernelWords pairs;
  KernelWords sums;

  std::size_t lanes(std::size_t batch) const { return std::min(kKernelLanes, records - batch * kKernelLanes); }
  std::uint64_t* sum(std::size_t record, std::size_t size) {
    return reinterpret_cast<std::uint64_t*>(sums.data()) + record * size;
  }
};

// Batches [begin, end) times their entries of `count` rows, the first of which is the row of window `first`.
void FixedBase::multiply_rows(Batches& batches, const KernelWord* rows, std::size_t first, std::size_t count,
                              std::size_t begin, std::size_t end) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t entry_size = kernel.entry_size(), steps = (end - begin) * count;
  const std::uint64_t *now[kKernelLanes], *ahead[kKernelLanes];
  const auto find = [&](const std::uint64_t** entries, std::size_t at) {
    const std::size_t batch = begin + at / count, row = at % count, lanes = batches.lanes(batch);
    const auto* table = reinterpret_cast<const std::uint64_t*>(rows + row * row_words());
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const mp_limb_t* exponent = batches.exponents + (batch * kKernelLanes + lane) * exponent_limbs();
      entries[lane] = table + digit(exponent, first + row) * entry_size;
      for (std::size_t word = 0; word < entry_size; word += kCacheLine / kWord)
        __builtin_prefetch(entries[lane] + word, 0, 2);
    }
  };
  KernelWork work = kernel.work();
  find(now, 0);
  for (std::size_t at = 0; at < steps; ++at) {
    if (at + 1 < steps) find(ahead, at + 1);
    const std::size_t batch = begin + at / count;
    work.lanes = batches.lanes(batch);
    kernel.multiply_entries(batches.pairs.data() + batch * kernel.batch_size(), now,
                            batches.sum(batch * kKernelLanes, kernel.sum_size()), work);
    std::swap(now, ahead);
  }
}

void FixedBase::multiply(mp_limb_t* pairs, const mp_limb_t* exponents, std::size_t count, ThreadPool& pool,
                         const CancelToken& cancel) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs(), size = kernel.batch_size();
  const std::size_t all = (count + kKernelLanes - 1) / kKernelLanes;
  Batches batches{exponents, count, KernelWords(all * size), KernelWords(count * kernel.sum_size() / kKernelLanes)};
  pool.for_ranges(all, kGrain, cancel, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin * kKernelLanes; i < std::min(end * kKernelLanes, count); ++i)
      kernel.load(batches.pairs.data() + i / kKernelLanes * size, i % kKernelLanes, pairs + i * 2 * n);
  });

  const std::size_t fit = std::max<std::size_t>(1, row_memory_ / row_bytes());
  const std::size_t group = kept() ? windows_ : std::min({static_cast<std::size_t>(pool.threads()), fit, windows_});
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
    KernelWord* batch = batches.pairs.data();
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t record = i * kKernelLanes;
      finish(pairs + record * 2 * n, batch + i * size, batches.sum(record, kernel.sum_size()), batches.lanes(i));
    }
  });
}

// pairs = the lanes times 1 + root * s for the sums of their tails: the factor's Montgomery form is
// R + root * (s R) = (R mod root) + root * (R / root + tails).
void FixedBase::finish(mp_limb_t* pairs, const KernelWord* batch, const std::uint64_t* sums, std::size_t lanes) const {
  const PairKernel& kernel = modulus_->kernel();
  const std::size_t n = modulus_->limbs(), size = kernel.batch_size();
  const auto limbs = static_cast<mp_size_t>(n);
  KernelWork work = kernel.work(lanes);
  KernelWords batches(2 * size);
  Limbs scratch(2 * n + n + 1 + 2);
  mp_limb_t *factor = scratch.data(), *sum = factor + 2 * n, *quotient = sum + n + 1;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    std::copy_n(identity_.data(), n, factor);
    kernel.store_sum(sum, sums + lane * kernel.sum_size());
    sum[n] += mpn_add_n(sum, sum, identity_.data() + 2 * n, limbs);
    mpn_tdiv_qr(quotient, factor + n, 0, sum, limbs + 1, kernel.root().data(), limbs);
    kernel.load(batches.data(), lane, factor);
  }
  kernel.multiply(batches.data() + size, batch, batches.data(), work);
  for (std::size_t lane = 0; lane < lanes; ++lane)
    kernel.store(pairs + lane * 2 * n, batches.data() + size, lane, work);
}

}  // namespace pgmpc
