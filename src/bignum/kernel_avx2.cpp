// The AVX2 kernel (bignum/kernel.h), for processors without AVX512-IFMA: 8 lanes in digits of 27 bits, 4 lanes per
// vector.
//
// Terms
// column: the sum of all digit products of one weight, held unreduced in 64 bits.
// block: 6 columns, which stay in registers.
// half: lanes 0-3 or 4-7.
// padded: with 6 zeros on both sides, so a block needs no special case at the edges.
//
// Layout
// A part is D words of 8 lanes, word i = digit i of all lanes. An entry is the D digits of the residue, then of the
// tail, each padded to full cache lines. A sum adds up the digits of every place.
//
// Invariants
// Value ranges: D is a multiple of 6 with R = 2^(27 D) at least 2^6 root. Inputs are below B = 4 root, so B^2 / R <=
// root / 4.
// - first part: (x y + q root) / R < 1.25 root.
// - second part: the digits of R - 1 - q and 1 in the low half and root - 1 in the high half add root R - q, hence
//   (2 B^2 + q' root + root R - q) / R < 2.5 root. Both stay below 4 root: there is never a final subtraction.
// - sums (bignum/kernel.h): 16 first parts times one are below 25 root^2, over R 0.4 root: below 1.4 root. Four pairs
//   times one give the same, below 2.4 root. A second part and such a first part stay below 4 root.
// - columns: at most 3 products of 156 digits (4096 bits), 3 * 156 * 2^54 < 2^63. In squares one factor has digits of
//   28 bits and stands for two products. The instruction multiplies the low 32 bits of a word.
// - tails grow by the tail of the step and 2.25 root. The top digit, below 2^40, takes what R has no room for.
// No branch and no address depends on a number: all code runs in constant time.
#include "bignum/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "base/error.h"
#include "bignum/kernel_digits.h"

#define PGMPC_AVX2 __attribute__((target("avx2")))
#define PGMPC_AVX2_INLINE PGMPC_AVX2 __attribute__((always_inline)) static inline

namespace pgmpc {

namespace {

using Half = __m256i;
constexpr std::size_t kBlock = 6, kBits = 27, kSlackBits = 6;
constexpr std::uint64_t kMask = (std::uint64_t{1} << kBits) - 1;

PGMPC_AVX2_INLINE Half load(const KernelWord* words, std::size_t i, std::size_t half) {
  return _mm256_load_si256(reinterpret_cast<const Half*>(words[i].lane + 4 * half));
}
PGMPC_AVX2_INLINE void store(KernelWord* words, std::size_t i, std::size_t half, Half value) {
  _mm256_store_si256(reinterpret_cast<Half*>(words[i].lane + 4 * half), value);
}
PGMPC_AVX2_INLINE Half all(std::uint64_t value) { return _mm256_set1_epi64x(static_cast<long long>(value)); }
PGMPC_AVX2_INLINE Half plus(Half a, Half b) { return _mm256_add_epi64(a, b); }

// columns[k] += sum of x[i] * y[c + k - i] for i in [first, last); y is padded. The asm statement hides from the
// compiler that the next round reads most of the same digits of y: it would move them from register to register.
PGMPC_AVX2_INLINE void add_products(Half* columns, const KernelWord* x, const KernelWord* y, std::size_t c,
                                    std::size_t first, std::size_t last, std::size_t half) {
  if (first >= last) return;
  const auto* factor = x[first].lane + 4 * half;
  const auto* digits = y[kBlock + c - first].lane + 4 * half;
  const auto* const end = factor + (last - first) * kKernelLanes;
  do {
    __asm__("" : "+r"(digits));
    const Half digit = _mm256_load_si256(reinterpret_cast<const Half*>(factor));
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kBlock; ++k)
      columns[k] =
          plus(columns[k],
               _mm256_mul_epu32(digit, _mm256_load_si256(reinterpret_cast<const Half*>(digits + k * kKernelLanes))));
    factor += kKernelLanes;
    digits -= kKernelLanes;
  } while (factor != end);
}

struct Factors {
  const KernelWord *x, *y;  // y padded
};

struct Constants {
  std::size_t digits, halves;                   // halves: 1 while no lane above the fourth is in use
  const KernelWord *root, *root_less_one, *k0;  // root padded; k0 = -1/root modulo 2^27, one word
};

// out = (x y + x1 y1 - minus) / R modulo root for one half. The second factors and minus may be null. q receives the
// quotient digits. out may be the same as a factor x.
PGMPC_AVX2 __attribute__((noinline)) void reduce_half(KernelWord* out, KernelWord* q, Factors a, Factors b,
                                                      const KernelWord* minus, const Constants& m, std::size_t half) {
  const std::size_t d = m.digits;
  const Half mask = all(kMask), k0 = load(m.k0, 0, half);
  Half carry = minus != nullptr ? all(1) : _mm256_setzero_si256();
  for (std::size_t c = 0; c < 2 * d; c += kBlock) {
    Half columns[kBlock];
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kBlock; ++k) {
      columns[k] = _mm256_setzero_si256();
      if (minus != nullptr)
        columns[k] = c < d ? _mm256_sub_epi64(mask, load(minus, c + k, half)) : load(m.root_less_one, c - d + k, half);
    }
    // The lowest digits of x are read for the last time before their places in out are written.
    const std::size_t first = c < d ? 0 : c - d + 1, last = std::min(d, c + kBlock);
    add_products(columns, a.x, a.y, c, first, last, half);
    if (b.x != nullptr) add_products(columns, b.x, b.y, c, first, last, half);
    add_products(columns, q, m.root, c, first, std::min(d, c), half);
    if (c < d) {
#pragma GCC unroll 8
      for (std::size_t k = 0; k < kBlock; ++k) {
        columns[k] = plus(columns[k], carry);
        const Half digit = _mm256_and_si256(_mm256_mul_epu32(columns[k], k0), mask);
        store(q, c + k, half, digit);
#pragma GCC unroll 8
        for (std::size_t j = k; j < kBlock; ++j)
          columns[j] = plus(columns[j], _mm256_mul_epu32(digit, load(m.root, kBlock + j - k, half)));
        carry = _mm256_srli_epi64(columns[k], kBits);
      }
    } else {
#pragma GCC unroll 8
      for (std::size_t k = 0; k < kBlock; ++k) {
        const Half sum = plus(columns[k], carry);
        store(out, c - d + k, half, _mm256_and_si256(sum, mask));
        carry = _mm256_srli_epi64(sum, kBits);
      }
    }
  }
}

void reduce(KernelWord* out, KernelWord* q, Factors a, Factors b, const KernelWord* minus, const Constants& m) {
  for (std::size_t half = 0; half < m.halves; ++half) reduce_half(out, q, a, b, minus, m, half);
}

// Copies a part to `to` with padding, its digits times 2^shift. Returns `to`.
PGMPC_AVX2 const KernelWord* pad(KernelWord* to, const KernelWord* part, std::size_t digits, int shift = 0) {
  std::fill_n(to, kBlock, KernelWord{});
  for (std::size_t i = 0; i < digits; ++i)
    for (std::size_t half = 0; half < 2; ++half)
      store(to + kBlock, i, half, _mm256_slli_epi64(load(part, i, half), shift));
  std::fill_n(to + kBlock + digits, kBlock, KernelWord{});
  return to;
}

// x += y as digits. The top digit keeps the carry out of it.
PGMPC_AVX2 void add_digits(KernelWord* x, const KernelWord* y, std::size_t digits) {
  for (std::size_t half = 0; half < 2; ++half) {
    Half carry = _mm256_setzero_si256();
    for (std::size_t i = 0; i < digits; ++i) {
      const Half sum = plus(plus(load(x, i, half), load(y, i, half)), carry);
      store(x, i, half, i + 1 < digits ? _mm256_and_si256(sum, all(kMask)) : sum);
      carry = _mm256_srli_epi64(sum, kBits);
    }
  }
}

PGMPC_AVX2 void select_part(KernelWord* out, const KernelWord* table, std::size_t count, std::size_t index,
                            std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t half = 0; half < 2; ++half) {
      Half chosen = _mm256_setzero_si256();
      for (std::size_t entry = 0; entry < count; ++entry) {
        const Half equal = _mm256_cmpeq_epi64(all(entry), all(index));
        chosen = _mm256_or_si256(chosen, _mm256_and_si256(equal, load(table + entry * size, i, half)));
      }
      store(out, i, half, chosen);
    }
}

std::size_t digits_of(std::size_t root_bits) {
  return (root_bits + kSlackBits + kBits * kBlock - 1) / (kBits * kBlock) * kBlock;
}

class Avx2Kernel final : public PairKernel {
 public:
  explicit Avx2Kernel(const Limbs& root)
      : PairKernel(root, digits_of(64 * root.size()) * kBits, digits_of(64 * root.size()),
                   (digits_of(64 * root.size()) + 7) / 8 * 8),
        digits_(digits_of(64 * root.size())),
        padded_(digits_ + 2 * kBlock),
        constants_(padded_ + digits_ + 1) {
    scratch_words_ = 2 * padded_ + 4 * digits_;
    scratch_limbs_ = 2 * root.size() + 2;
    Limbs less_one = root.clone();
    less_one[0] -= 1;
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
      load_lane<kBits>(constants_.data() + kBlock, lane, digits_, root.data(), root.size());
      load_lane<kBits>(constants_.data() + padded_, lane, digits_, less_one.data(), root.size());
      constants_.back().lane[lane] = negative_inverse(root[0]) & kMask;
    }
  }

  void multiply(KernelWord* out, const KernelWord* a, const KernelWord* b, KernelWork& work) const override {
    const Scratch s = scratch(work);
    const KernelWord *y0 = pad(s.y0, b, digits_), *y1 = pad(s.y1, b + digits_, digits_);
    reduce(out, s.q, {a, y0}, {}, nullptr, constants(work));
    reduce(out + digits_, s.other, {a, y1}, {a + digits_, y0}, s.q, constants(work));
  }

  void square(KernelWord* out, const KernelWord* a, KernelWork& work) const override {
    const Scratch s = scratch(work);
    const KernelWord *y0 = pad(s.y0, a, digits_), *y1 = pad(s.y1, a + digits_, digits_, 1);
    reduce(out, s.q, {a, y0}, {}, nullptr, constants(work));
    reduce(out + digits_, s.other, {a, y1}, {}, s.q, constants(work));
  }

  void multiply_residue(KernelWord* out, const KernelWord* a, const KernelWord* y, KernelWork& work) const override {
    const Scratch s = scratch(work);
    pad(s.y0, y, digits_);
    multiply_padded(out, a, work);
  }

  void multiply_part(KernelWord* out, const KernelWord* x, const KernelWord* y, KernelWork& work) const override {
    const Scratch s = scratch(work);
    reduce(out, s.q, {x, pad(s.y0, y, digits_)}, {}, nullptr, constants(work));
  }

  void add_part(KernelWord* sum, const KernelWord* x, KernelWork&) const override { add_digits(sum, x, digits_); }

  void load_part(KernelWord* part, std::size_t lane, const mp_limb_t* number) const override {
    load_lane<kBits>(part, lane, digits_, number, limbs());
  }

  void store(mp_limb_t* pair, const KernelWord* batch, std::size_t lane, KernelWork& work) const override {
    store_pair<kBits>(pair, batch, lane, digits_, root(), work.limbs.data());
  }

  void multiply_entries(KernelWord* product, const std::uint64_t* const* first, const std::uint64_t* const* second,
                        std::uint64_t* sums, KernelWork& work) const override {
    multiply_entry(product, first, sums, work);
    multiply_entry(product, second, sums, work);
  }

  void store_sum(mp_limb_t* number, const std::uint64_t* sum) const override {
    store_digit_sums<kBits>(number, limbs() + 1, sum, digits_);
  }

  void advance(KernelWord* power, const KernelWord* step, KernelWork& work) const override {
    const Scratch s = scratch(work);
    KernelWord *inverse = power + digits_, *tail = inverse + digits_, *inverse_tail = tail + digits_;
    reduce(power, s.q, {power, pad(s.y0, step, digits_)}, {}, nullptr, constants(work));
    reduce(inverse, s.q_inverse, {inverse, pad(s.y0, step + digits_, digits_)}, {}, nullptr, constants(work));
    reduce(s.change, s.other, {s.q, pad(s.y0, inverse, digits_)}, {}, nullptr, constants(work));
    add_digits(tail, step + 2 * digits_, digits_);
    add_digits(tail, s.change, digits_);
    reduce(s.change, s.other, {s.q_inverse, pad(s.y0, power, digits_)}, {}, nullptr, constants(work));
    add_digits(inverse_tail, step + 3 * digits_, digits_);
    add_digits(inverse_tail, s.change, digits_);
  }

  void select(KernelWord* out, const KernelWord* table, std::size_t count, std::size_t index) const override {
    select_part(out, table, count, index, digits_);
  }

 private:
  // out = a * (y, 0) / R, where y is the padded part y0 of scratch. out may be a.
  void multiply_padded(KernelWord* out, const KernelWord* a, KernelWork& work) const {
    const Scratch s = scratch(work);
    reduce(out, s.q, {a, s.y0}, {}, nullptr, constants(work));
    reduce(out + digits_, s.other, {a + digits_, s.y0}, {}, s.q, constants(work));
  }

  void multiply_entry(KernelWord* batch, const std::uint64_t* const* entries, std::uint64_t* sums,
                      KernelWork& work) const {
    const Scratch s = scratch(work);
    std::fill_n(s.y0, kBlock, KernelWord{});
    std::fill_n(s.y0 + kBlock + digits_, kBlock, KernelWord{});
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
      const std::uint64_t* entry = entries[lane < work.lanes ? lane : 0];
      for (std::size_t i = 0; i < digits_; ++i) s.y0[kBlock + i].lane[lane] = entry[i];
    }
    multiply_padded(batch, batch, work);
    for (std::size_t lane = 0; lane < work.lanes; ++lane)
      for (std::size_t i = 0; i < digits_; ++i) sums[lane * sum_size() + i] += entries[lane][sum_size() + i];
  }

  void write(std::uint64_t* const* entries, const KernelWord* residues, const KernelWord* tails) const override {
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      for (std::size_t i = 0; entries[lane] != nullptr && i < digits_; ++i) {
        entries[lane][i] = residues[i].lane[lane];
        entries[lane][sum_size() + i] = tails[i].lane[lane];
      }
  }
  struct Scratch {
    KernelWord *y0, *y1, *q, *q_inverse, *other, *change;
  };
  Scratch scratch(KernelWork& work) const {
    KernelWord *at = work.words.data(), *q = at + 2 * padded_;
    return {at, at + padded_, q, q + digits_, q + 2 * digits_, q + 3 * digits_};
  }
  Constants constants(const KernelWork& work) const {
    return {digits_, work.lanes > kKernelLanes / 2 ? std::size_t{2} : std::size_t{1}, constants_.data(),
            constants_.data() + padded_, &constants_.back()};
  }

  std::size_t digits_, padded_;
  KernelWords constants_;  // padded root, root - 1, k0
};

}  // namespace

std::unique_ptr<PairKernel> make_avx2_kernel(const Limbs& root) {
  if (!avx2_supported()) throw Error(ErrorCode::not_supported, "this processor has no AVX2 instructions");
  return std::make_unique<Avx2Kernel>(root);
}

}  // namespace pgmpc

#else

#include "base/error.h"

namespace pgmpc {

std::unique_ptr<PairKernel> make_avx2_kernel(const Limbs&) {
  throw Error(ErrorCode::not_supported, "this build has no AVX2 kernel");
}

}  // namespace pgmpc

#endif
