// The AVX512-IFMA kernel (bignum/kernel.h): 8 lanes side by side in digits of 52 bits.
//
// Layout
// A part is 10K vectors, vector i = digit i of all lanes. An entry is the 10K digits of the residue, then of the tail,
// each padded to full cache lines. A sum adds up the digits of every place. It stays below 2^64: each of the up to 2^12
// tails has digits below 2^52.
//
// Invariants
// multiply and square take parts below 4 root and return parts below 1.001 root (value ranges: kernel_ifma_reduce.h).
// No branch and no address depends on a number: all code runs in constant time.
#include "bignum/kernel.h"

#if defined(__x86_64__)

#include <algorithm>

#include "base/error.h"
#include "bignum/kernel_digits.h"
#include "bignum/kernel_ifma_reduce.h"

namespace pgmpc {

namespace {

using ifma::Constants;
using ifma::kDigitBits;
using ifma::kDigitMask;
using ifma::kTile;
using ifma::Vector;

constexpr std::size_t kSlackBits = 16;

Vector* vectors(KernelWord* words) { return reinterpret_cast<Vector*>(words); }
const Vector* vectors(const KernelWord* words) { return reinterpret_cast<const Vector*>(words); }

// R modulo m.
void montgomery_one(mp_limb_t* out, const mp_limb_t* m, std::size_t n, std::size_t radix_bits) {
  const std::size_t size = radix_bits / 64 + 1;
  Limbs power(size), quotient(size);
  power[radix_bits / 64] = mp_limb_t{1} << radix_bits % 64;
  mpn_tdiv_qr(quotient.data(), out, 0, power.data(), static_cast<mp_size_t>(size), m, static_cast<mp_size_t>(n));
}

template <int K>
PGMPC_IFMA void add_root_tiles(Constants<K>& c) {
  if constexpr (ifma::kReduceThree<K>) ifma::add_upper_tiles(c.root_sum, c.root);
}

template <int K>
PGMPC_IFMA void multiply_pairs(Vector* out, const Vector* x, const Vector* y, const Constants<K>& c, Vector* q) {
  constexpr int n = kTile * K;
  ifma::reduce_plain<K>(out, q, x, y, c, q + 2 * n);
  ifma::reduce<K>(out + n, q + n, x, y + n, x + n, y, ifma::LessQuotient{q}, c, q + 2 * n);
}

template <int K>
PGMPC_IFMA void square_pairs(Vector* out, const Vector* x, const Constants<K>& c, Vector* q) {
  constexpr int n = kTile * K;
  if constexpr (K == 3) {
    ifma::square_three_tiles(out, q, x, c, q + 2 * n);
  } else {
    ifma::reduce_square<K>(out, q, x, c, q + 2 * n);
    ifma::reduce_double<K>(out + n, q + n, x, x + n, q, c, q + 2 * n);
  }
}

template <int K>
PGMPC_IFMA void multiply_by_residue(Vector* out, const Vector* x, const Vector* y, const Constants<K>& c, Vector* q) {
  constexpr int n = kTile * K;
  if constexpr (K == 3) {
    ifma::multiply_three_tiles(out, q, x, y, c, q + 2 * n);
  } else {
    ifma::reduce_plain<K>(out, q, x, y, c, q + 2 * n);
    ifma::reduce<K>(out + n, q + n, x + n, y, nullptr, nullptr, ifma::LessQuotient{q}, c, q + 2 * n);
  }
}

// Reads one number of an entry per lane into a part. Whole blocks of 8 words are read, the last one with padding.
PGMPC_IFMA void gather_part(Vector* out, const std::uint64_t* const* numbers, int digits) {
  for (int at = 0; at < digits; at += 8) {
    Vector rows[8], columns[8];
    for (int lane = 0; lane < 8; ++lane) rows[lane] = _mm512_load_si512(numbers[lane] + at);
    ifma::transpose(columns, rows);
    for (int i = 0; i < 8 && at + i < digits; ++i) out[at + i] = columns[i];
  }
}

PGMPC_IFMA void scatter_part(std::uint64_t* const* entries, std::size_t offset, const Vector* part, int digits) {
  for (int at = 0; at < digits; at += 8) {
    Vector rows[8], columns[8];
    for (int i = 0; i < 8; ++i) rows[i] = at + i < digits ? part[at + i] : _mm512_setzero_si512();
    ifma::transpose(columns, rows);
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      if (entries[lane] != nullptr) _mm512_store_si512(entries[lane] + offset + at, columns[lane]);
  }
}

PGMPC_IFMA void add_words(std::uint64_t* sum, const std::uint64_t* a, const std::uint64_t* b, std::size_t count) {
  for (std::size_t at = 0; at < count; at += 8) {
    const Vector both = _mm512_add_epi64(_mm512_load_si512(a + at), _mm512_load_si512(b + at));
    _mm512_store_si512(sum + at, _mm512_add_epi64(_mm512_load_si512(sum + at), both));
  }
}

// x += y + z as digits below 2^52.
PGMPC_IFMA void add_digits(Vector* x, const Vector* y, const Vector* z, int digits) {
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  Vector carry = _mm512_setzero_si512();
  for (int i = 0; i < digits; ++i) {
    const Vector sum = _mm512_add_epi64(_mm512_add_epi64(x[i], y[i]), _mm512_add_epi64(z[i], carry));
    x[i] = _mm512_and_si512(sum, mask);
    carry = _mm512_srli_epi64(sum, kDigitBits);
  }
}

// x += y in the given lanes, as digits below 2^52.
PGMPC_IFMA void add_where(Vector* x, const Vector* y, __mmask8 lanes, int digits) {
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  Vector carry = _mm512_setzero_si512();
  for (int i = 0; i < digits; ++i) {
    const Vector sum = _mm512_add_epi64(_mm512_mask_add_epi64(x[i], lanes, x[i], y[i]), carry);
    x[i] = _mm512_and_si512(sum, mask);
    carry = _mm512_srli_epi64(sum, kDigitBits);
  }
}

// Multiplies a running product x0 + root * u / R by (y, 0) and (y2, 0), in place. y y2 + q root = R t and x0 t + q'
// root = R x0' give (x0 + root u / R) y y2 / R^2 = x0' + root ((u t - x0 q) / R - q') / R. Both residues take 7 n^2.
template <int K>
PGMPC_IFMA void multiply_chain(Vector* x, Vector* y, Vector* y2, const Constants<K>& c, Vector* scratch) {
  constexpr int n = kTile * K;
  Vector *u = x + n, *t = y, *next = y2, *q = scratch, *q_first = q + n, *rest = q_first + n, *more = rest + n;
  ifma::reduce_plain<K>(t, q, y, y2, c, more);
  ifma::reduce_plain<K>(next, q_first, x, t, c, more);
  const Vector mask = _mm512_set1_epi64(kDigitMask);
  for (int i = 0; i < n; ++i) q[i] = _mm512_sub_epi64(mask, q[i]);
  const Vector carry = ifma::reduce<K>(u, rest, u, t, x, q, ifma::Chain{x, q_first, c.delta}, c, more);
  add_where(u, c.power_of_two, _mm512_cmpeq_epi64_mask(carry, _mm512_setzero_si512()), n);
  std::copy_n(next, n, x);
}

// Implements advance. The quotient q of the residues' product has digits up to R - 1, so q times the residue of the
// inverse, over R, is below 1.001 root + root. A step adds 1.001 root of its own tail and these 2.001 root to a tail.
// After 2^11 steps tails are below 2^13 root, inside the slack.
template <int K>
PGMPC_IFMA void advance_powers(Vector* power, const Vector* step, const Constants<K>& c, Vector* scratch) {
  constexpr int n = kTile * K;
  Vector *q = scratch, *q_inverse = q + n, *other = q_inverse + n, *change = other + n, *more = change + n;
  ifma::reduce_plain<K>(power, q, power, step, c, more);
  ifma::reduce_plain<K>(power + n, q_inverse, power + n, step + n, c, more);
  ifma::reduce_plain<K>(change, other, q, power + n, c, more);
  add_digits(power + 2 * n, step + 2 * n, change, n);
  ifma::reduce_plain<K>(change, other, q_inverse, power, c, more);
  add_digits(power + 3 * n, step + 3 * n, change, n);
}

PGMPC_IFMA void select_batch(Vector* out, const Vector* table, std::size_t count, std::size_t index, int size) {
  const Vector wanted = _mm512_set1_epi64(static_cast<long long>(index));
  for (int at = 0; at < size; at += kTile) {
    Vector chosen[kTile];
    ifma::clear(chosen, kTile);
    for (std::size_t entry = 0; entry < count; ++entry) {
      const __mmask8 equal = _mm512_cmpeq_epi64_mask(_mm512_set1_epi64(static_cast<long long>(entry)), wanted);
      const Vector* from = table + entry * static_cast<std::size_t>(size) + at;
#pragma GCC unroll 16
      for (int i = 0; i < kTile; ++i) chosen[i] = _mm512_mask_mov_epi64(chosen[i], equal, from[i]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kTile; ++i) out[at + i] = chosen[i];
  }
}

template <int K>
class IfmaKernel final : public PairKernel {
  static constexpr std::size_t kDigits = static_cast<std::size_t>(kTile) * K;

 public:
  explicit IfmaKernel(const Limbs& root)
      : PairKernel(root, kDigits * kDigitBits, kDigits, (kDigits + 7) / 8 * 8),
        constants_(sizeof(Constants<K>) / sizeof(KernelWord)) {
    scratch_words_ = 6 * kDigits + ifma::kKaratsubaScratch<K>;
    scratch_limbs_ = 2 * root.size() + 2;
    const std::size_t n = root.size();
    const auto size = static_cast<mp_size_t>(n);
    Limbs one(n), square(2 * n), rest(n + 1), delta(n + 1);
    montgomery_one(one.data(), root.data(), n, kDigits * kDigitBits);
    mpn_sqr(square.data(), one.data(), size);
    mpn_tdiv_qr(rest.data(), square.data(), 0, square.data(), 2 * size, root.data(), size);
    delta[n] = mpn_mul_1(delta.data(), root.data(), size, 3);
    delta[n] -= mpn_sub_n(delta.data(), delta.data(), one.data(), size);
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
      load_lane<kDigitBits>(constants_.data(), lane, kDigits, root.data(), n);
      load_lane<kDigitBits>(constants_.data() + kDigits, lane, kDigits, one.data(), n);
      load_lane<kDigitBits>(constants_.data() + 2 * kDigits, lane, kDigits, square.data(), n);
      load_lane<kDigitBits>(constants_.data() + 3 * kDigits, lane, kDigits, delta.data(), n + 1);
      constants_[Constants<K>::kPlaceOfK0].lane[lane] = negative_inverse(root[0]) & kDigitMask;
    }
    add_root_tiles(*reinterpret_cast<Constants<K>*>(constants_.data()));
  }

  void multiply(KernelWord* out, const KernelWord* a, const KernelWord* b, KernelWork& work) const override {
    multiply_pairs<K>(vectors(out), vectors(a), vectors(b), constants(), vectors(work.words.data()));
  }

  void square(KernelWord* out, const KernelWord* a, KernelWork& work) const override {
    square_pairs<K>(vectors(out), vectors(a), constants(), vectors(work.words.data()));
  }

  void multiply_residue(KernelWord* out, const KernelWord* a, const KernelWord* y, KernelWork& work) const override {
    multiply_by_residue<K>(vectors(out), vectors(a), vectors(y), constants(), vectors(work.words.data()));
  }

  void multiply_part(KernelWord* out, const KernelWord* x, const KernelWord* y, KernelWork& work) const override {
    Vector* q = vectors(work.words.data());
    ifma::reduce_plain<K>(vectors(out), q, vectors(x), vectors(y), constants(), q + kDigits);
  }

  void add_part(KernelWord* sum, const KernelWord* x, KernelWork&) const override {
    add_where(vectors(sum), vectors(x), 0xff, kDigits);
  }

  void load_part(KernelWord* part, std::size_t lane, const mp_limb_t* number) const override {
    load_lane<kDigitBits>(part, lane, kDigits, number, limbs());
  }

  // Both parts are below 1.001 root.
  void store(mp_limb_t* pair, const KernelWord* batch, std::size_t lane, KernelWork& work) const override {
    store_pair<kDigitBits>(pair, batch, lane, kDigits, root(), work.limbs.data());
  }

  void start_product(KernelWord* product, const KernelWord* pair, KernelWork& work) const override {
    std::copy_n(pair, kDigits, product);
    Vector* q = vectors(work.words.data());
    ifma::reduce_plain<K>(vectors(product) + kDigits, q, vectors(pair) + kDigits, constants().power_of_two_square,
                          constants(), q + kDigits);
  }

  void multiply_entries(KernelWord* product, const std::uint64_t* const* first, const std::uint64_t* const* second,
                        std::uint64_t* sums, KernelWork& work) const override {
    Vector *residues = vectors(work.words.data()), *scratch = residues + 2 * kDigits;
    const std::uint64_t* all[kKernelLanes];
    for (std::size_t side = 0; side < 2; ++side) {
      const auto* entries = side == 0 ? first : second;
      for (std::size_t lane = 0; lane < kKernelLanes; ++lane) all[lane] = entries[lane < work.lanes ? lane : 0];
      gather_part(residues + side * kDigits, all, kDigits);
    }
    multiply_chain<K>(vectors(product), residues, residues + kDigits, constants(), scratch);
    for (std::size_t lane = 0; lane < work.lanes; ++lane)
      add_words(sums + lane * sum_size(), first[lane] + sum_size(), second[lane] + sum_size(), sum_size());
  }

  void finish_product(KernelWord* pair, const KernelWord* product, KernelWork& work) const override {
    Vector *q = vectors(work.words.data()), *one = q + kDigits;
    std::fill_n(work.words.data() + kDigits, kDigits, KernelWord{});
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) work.words[kDigits].lane[lane] = 1;
    std::copy_n(product, kDigits, pair);
    ifma::reduce_plain<K>(vectors(pair) + kDigits, q, vectors(product) + kDigits, one, constants(), one + kDigits);
  }

  void store_sum(mp_limb_t* number, const std::uint64_t* sum) const override {
    store_digit_sums<kDigitBits>(number, limbs() + 1, sum, kDigits);
  }

  void advance(KernelWord* power, const KernelWord* step, KernelWork& work) const override {
    advance_powers<K>(vectors(power), vectors(step), constants(), vectors(work.words.data()));
  }

  void select(KernelWord* out, const KernelWord* table, std::size_t count, std::size_t index) const override {
    select_batch(vectors(out), vectors(table), count, index, kDigits);
  }

 private:
  void write(std::uint64_t* const* entries, const KernelWord* residues, const KernelWord* tails) const override {
    scatter_part(entries, 0, vectors(residues), kDigits);
    scatter_part(entries, sum_size(), vectors(tails), kDigits);
  }
  const Constants<K>& constants() const { return *reinterpret_cast<const Constants<K>*>(constants_.data()); }

  KernelWords constants_;  // a Constants<K>
};

// Fermat tests to base 2: a window of 3 exponent bits costs 3 squarings and a shift by up to 7 bits. The shifted value
// is below 2^7 * 1.25 candidate, its square over R below 2^14 * 1.6 * 2^-16 = 0.4 candidate: inside the slack.
constexpr std::size_t kShiftWindow = 3;

// out = x * 2^shift, with a shift below 8 that differs from lane to lane. Digits stay below 2^52.
PGMPC_IFMA void shift_up(Vector* out, const Vector* x, const Vector* shifts, int digits) {
  const Vector mask = _mm512_set1_epi64(kDigitMask), shift = *shifts;
  const Vector rest = _mm512_sub_epi64(_mm512_set1_epi64(kDigitBits), shift);
  Vector below = _mm512_setzero_si512();
  for (int i = 0; i < digits; ++i) {
    const Vector digit = x[i];
    out[i] = _mm512_or_si512(_mm512_and_si512(_mm512_sllv_epi64(digit, shift), mask), _mm512_srlv_epi64(below, rest));
    below = digit;
  }
}

template <int K>
PGMPC_IFMA void square_numbers(Vector* out, const Vector* x, const Constants<K>& c, Vector* q, Vector* scratch) {
  ifma::reduce_square<K>(out, q, x, c, scratch);
}

template <int K>
PGMPC_IFMA void leave_montgomery(Vector* out, const Vector* x, const Vector* one, const Constants<K>& c, Vector* q,
                                 Vector* scratch) {
  ifma::reduce_plain<K>(out, q, x, one, c, scratch);
}

// Bits [bit, bit + 3) of m - 1 for an odd m.
std::uint64_t window_of(const mp_limb_t* m, std::size_t n, std::size_t bit) {
  const auto limb = [&](std::size_t i) { return i == 0 ? m[0] - 1 : i < n ? m[i] : mp_limb_t{0}; };
  mp_limb_t value = limb(bit / 64) >> bit % 64;
  if (bit % 64 > 64 - kShiftWindow) value |= limb(bit / 64 + 1) << (64 - bit % 64);
  return value & ((1u << kShiftWindow) - 1);
}

template <int K>
unsigned fermat_batch(const mp_limb_t* candidates, std::size_t n, std::size_t count) {
  constexpr std::size_t digits = static_cast<std::size_t>(kTile) * K,
                        constants = sizeof(Constants<K>) / sizeof(KernelWord);
  KernelWords words(constants + 4 * digits + 1 + ifma::kKaratsubaScratch<K>);
  KernelWord *x = words.data() + constants, *y = x + digits, *q = y + digits, *one = q + digits, *shift = one + digits;
  Limbs start(n);
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
    const mp_limb_t* m = candidates + (lane < count ? lane : 0) * n;
    load_lane<kDigitBits>(words.data(), lane, digits, m, n);
    words[Constants<K>::kPlaceOfK0].lane[lane] = negative_inverse(m[0]) & kDigitMask;
    montgomery_one(start.data(), m, n, digits * kDigitBits);
    load_lane<kDigitBits>(x, lane, digits, start.data(), n);
    one[0].lane[lane] = 1;
  }
  auto& c = *reinterpret_cast<Constants<K>*>(words.data());
  add_root_tiles(c);
  const std::size_t windows = (64 * n + kShiftWindow - 1) / kShiftWindow;
  for (std::size_t w = windows; w-- > 0;) {
    for (std::size_t i = 0; i < kShiftWindow; ++i) {
      square_numbers<K>(vectors(y), vectors(x), c, vectors(q), vectors(shift + 1));
      std::swap(x, y);
    }
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane)
      shift->lane[lane] = window_of(candidates + (lane < count ? lane : 0) * n, n, w * kShiftWindow);
    shift_up(vectors(y), vectors(x), vectors(shift), static_cast<int>(digits));
    std::swap(x, y);
  }
  // Outside the Montgomery form the value is at most the candidate, so it is 1 modulo the candidate only if it is 1.
  leave_montgomery<K>(vectors(y), vectors(x), vectors(one), c, vectors(q), vectors(shift + 1));
  unsigned passed = 0;
  for (std::size_t lane = 0; lane < count; ++lane) {
    std::uint64_t difference = y[0].lane[lane] ^ 1;
    for (std::size_t i = 1; i < digits; ++i) difference |= y[i].lane[lane];
    if (difference == 0) passed |= 1u << lane;
  }
  return passed;
}

bool fits(std::size_t bits, std::size_t tiles) { return bits + kSlackBits <= tiles * kTile * kDigitBits; }

}  // namespace

std::unique_ptr<PairKernel> make_ifma_kernel(const Limbs& root) {
  if (!ifma_supported()) throw Error(ErrorCode::not_supported, "this processor has no AVX512-IFMA instructions");
  const std::size_t bits = 64 * root.size();
  if (fits(bits, 1)) return std::make_unique<IfmaKernel<1>>(root);
  if (fits(bits, 2)) return std::make_unique<IfmaKernel<2>>(root);
  if (fits(bits, 3)) return std::make_unique<IfmaKernel<3>>(root);
  if (fits(bits, 4)) return std::make_unique<IfmaKernel<4>>(root);
  if (fits(bits, 6)) return std::make_unique<IfmaKernel<6>>(root);
  if (fits(bits, 8)) return std::make_unique<IfmaKernel<8>>(root);
  throw Error(ErrorCode::internal, "no kernel supports this modulus");
}

unsigned fermat_ifma(const mp_limb_t* candidates, std::size_t n, std::size_t count) {
  const std::size_t bits = 64 * n;
  if (fits(bits, 1)) return fermat_batch<1>(candidates, n, count);
  if (fits(bits, 2)) return fermat_batch<2>(candidates, n, count);
  if (fits(bits, 3)) return fermat_batch<3>(candidates, n, count);
  if (fits(bits, 4)) return fermat_batch<4>(candidates, n, count);
  throw Error(ErrorCode::internal, "no kernel supports this prime candidate");
}

}  // namespace pgmpc

#else

#include "base/error.h"

namespace pgmpc {

std::unique_ptr<PairKernel> make_ifma_kernel(const Limbs&) {
  throw Error(ErrorCode::not_supported, "this processor has no AVX512-IFMA instructions");
}
unsigned fermat_ifma(const mp_limb_t*, std::size_t, std::size_t) {
  throw Error(ErrorCode::not_supported, "this processor has no AVX512-IFMA instructions");
}

}  // namespace pgmpc

#endif
