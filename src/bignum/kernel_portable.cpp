// The portable kernel (bignum/kernel.h): one lane after the other on GMP's mpn functions, R = 2^(64n).
//
// Layout
// A part holds its lanes one after the other, n limbs each. An entry is residue and tail, a sum is n + 1 limbs, both
// padded.
//
// Invariants
// Value ranges: all pairs are canonical. R has no slack above root (p and q have their top bits set), so the reductions
// end with subtractions, all of them in constant time.
// - first part: x0 y0 < root^2, so (x0 y0 + q root) / R < 2 root: one subtraction. Subtracting root from the first part
//   means adding 1 to the second, so the subtraction reports whether it happened.
// - second part: x0 y1 + x1 y0 - q lies in (-R, 2 root^2); root * R is added where it is negative. After the
//   reduction it is below 3 root - 1, with the 1 from the first part below 3 root: two subtractions.
// - powers: residues and tails are below root. Subtracting root from the residue t means subtracting R^2 / t from its
//   tail, which is the residue v of the inverse: the tail gains (q v) / R - v where root was subtracted.
//
// Security
// With Timing::constant, products are GMP's mpn_sec functions (schoolbook). Otherwise they are mpn_mul_n, which
// compares its operands above its Karatsuba threshold. mpn_addmul_1, mpn_add_n, mpn_sub_n and the mpn_cnd functions run
// in constant time.
#include <algorithm>

#include "bignum/kernel.h"

namespace pgmpc {

namespace {

class PortableKernel final : public PairKernel {
 public:
  PortableKernel(const Limbs& root, Timing timing)
      : PairKernel(root, 64 * root.size(), root.size(), (root.size() + 8) / 8 * 8),
        constant_(timing == Timing::constant),
        n_(static_cast<mp_size_t>(root.size())),
        k0_(negative_inverse(root[0])) {
    scratch_limbs_ = static_cast<std::size_t>(8 * n_ + std::max(mpn_sec_mul_itch(n_, n_), mpn_sec_sqr_itch(n_)));
  }

  void multiply(KernelWord* out, const KernelWord* a, const KernelWord* b, KernelWork& work) const override {
    for (std::size_t lane = 0; lane < work.lanes; ++lane)
      multiply_pair(of(out, 0, lane), of(out, 1, lane), of(a, 0, lane), of(a, 1, lane), of(b, 0, lane), of(b, 1, lane),
                    scratch(work));
  }

  void square(KernelWord* out, const KernelWord* a, KernelWork& work) const override {
    for (std::size_t lane = 0; lane < work.lanes; ++lane)
      square_pair(of(out, 0, lane), of(out, 1, lane), of(a, 0, lane), of(a, 1, lane), scratch(work));
  }

  void multiply_residue(KernelWord* out, const KernelWord* a, const KernelWord* y, KernelWork& work) const override {
    for (std::size_t lane = 0; lane < work.lanes; ++lane)
      multiply_one(of(out, 0, lane), of(out, 1, lane), of(a, 0, lane), of(a, 1, lane), of(y, 0, lane), scratch(work));
  }

  void multiply_part(KernelWord* out, const KernelWord* x, const KernelWord* y, KernelWork& work) const override {
    const Scratch s = scratch(work);
    for (std::size_t lane = 0; lane < work.lanes; ++lane) {
      product_of(s.product, of(x, 0, lane), of(y, 0, lane), s.rest);
      first_part(of(out, 0, lane), s);
    }
  }

  void add_part(KernelWord* sum, const KernelWord* x, KernelWork& work) const override {
    for (std::size_t lane = 0; lane < work.lanes; ++lane) add_modulo(of(sum, 0, lane), of(x, 0, lane), scratch(work));
  }

  // Subtracting root from the first part adds 1 to the second.
  void add(KernelWord* sum, const KernelWord* x, KernelWork& work) const override {
    const Scratch s = scratch(work);
    for (std::size_t lane = 0; lane < work.lanes; ++lane) {
      std::fill_n(s.q, n_, mp_limb_t{0});
      s.q[0] = add_modulo(of(sum, 0, lane), of(x, 0, lane), s);
      add_modulo(of(sum, 1, lane), s.q, s);
      add_modulo(of(sum, 1, lane), of(x, 1, lane), s);
    }
  }

  void load_part(KernelWord* part, std::size_t lane, const mp_limb_t* number) const override {
    std::copy_n(number, n_, of(part, 0, lane));
  }

  void store(mp_limb_t* pair, const KernelWord* batch, std::size_t lane, KernelWork&) const override {
    std::copy_n(of(batch, 0, lane), n_, pair);
    std::copy_n(of(batch, 1, lane), n_, pair + n_);
  }

  void multiply_entries(KernelWord* product, const std::uint64_t* const* first, const std::uint64_t* const* second,
                        std::uint64_t* sums, KernelWork& work) const override {
    const Scratch s = scratch(work);
    for (std::size_t lane = 0; lane < work.lanes; ++lane)
      for (const std::uint64_t* entry : {first[lane], second[lane]}) {
        mp_limb_t *x0 = of(product, 0, lane), *x1 = of(product, 1, lane), *sum = sums + lane * sum_size();
        multiply_one(x0, x1, x0, x1, entry, s);
        sum[n_] += mpn_add_n(sum, sum, entry + sum_size(), n_);
      }
  }

  void store_sum(mp_limb_t* number, const std::uint64_t* sum) const override { std::copy_n(sum, n_ + 1, number); }

  void advance(KernelWord* power, const KernelWord* step, KernelWork& work) const override {
    for (std::size_t lane = 0; lane < work.lanes; ++lane) advance_one(power, step, lane, scratch(work));
  }

  void select(KernelWord* out, const KernelWord* table, std::size_t count, std::size_t index) const override {
    const std::size_t words = part_size() * kKernelLanes;
    const auto* from = reinterpret_cast<const mp_limb_t*>(table);
    auto* to = reinterpret_cast<mp_limb_t*>(out);
    std::fill_n(to, words, mp_limb_t{0});
    for (std::size_t entry = 0; entry < count; ++entry, from += words) {
      const std::uint64_t difference = entry ^ index;
      const mp_limb_t mask = ((difference | (0 - difference)) >> 63) - 1;  // all ones where entry and index are equal
      for (std::size_t i = 0; i < words; ++i) to[i] |= from[i] & mask;
    }
  }

 private:
  void write(std::uint64_t* const* entries, const KernelWord* residues, const KernelWord* tails) const override {
    for (std::size_t lane = 0; lane < kKernelLanes; ++lane) {
      if (entries[lane] == nullptr) continue;
      std::copy_n(of(residues, 0, lane), n_, entries[lane]);
      std::copy_n(of(tails, 0, lane), n_, entries[lane] + sum_size());
    }
  }
  struct Scratch {
    mp_limb_t *product, *second, *q, *kept, *tmp, *rest;
  };

  mp_limb_t* of(KernelWord* batch, std::size_t part, std::size_t lane) const {
    return reinterpret_cast<mp_limb_t*>(batch) + (part * kKernelLanes + lane) * limbs();
  }
  const mp_limb_t* of(const KernelWord* batch, std::size_t part, std::size_t lane) const {
    return reinterpret_cast<const mp_limb_t*>(batch) + (part * kKernelLanes + lane) * limbs();
  }

  Scratch scratch(KernelWork& work) const {
    mp_limb_t* at = work.limbs.data();
    return {at, at + 2 * n_, at + 4 * n_, at + 5 * n_, at + 6 * n_, at + 8 * n_};
  }

  void product_of(mp_limb_t* out, const mp_limb_t* x, const mp_limb_t* y, mp_limb_t* rest) const {
    if (constant_)
      mpn_sec_mul(out, x, n_, y, n_, rest);
    else
      mpn_mul_n(out, x, y, n_);
  }

  // out = REDC(s.product), with the quotient digits in s.q. Returns what the second part gains.
  mp_limb_t first_part(mp_limb_t* out, const Scratch& s) const {
    mp_limb_t high = montgomery_reduce(s.product, s.q, root().data(), n_, k0_);
    const mp_limb_t taken = subtract_once(s.product + n_, high, root().data(), limbs(), s.tmp);
    std::copy_n(s.product + n_, n_, out);
    return taken;
  }

  // out = REDC(product + high * R^2 - s.q) + gain.
  void second_part(mp_limb_t* out, mp_limb_t* product, mp_limb_t high, mp_limb_t gain, const Scratch& s) const {
    const mp_limb_t borrow = mpn_sub_n(product, product, s.q, n_);
    high -= mpn_sec_sub_1(product + n_, product + n_, n_, borrow, s.tmp);
    high += mpn_cnd_add_n(high >> 63, product + n_, product + n_, root().data(), n_);
    high += montgomery_reduce(product, s.q, root().data(), n_, k0_);
    high += mpn_sec_add_1(product + n_, product + n_, n_, gain, s.tmp);
    subtract_once(product + n_, high, root().data(), limbs(), s.tmp);
    subtract_once(product + n_, high, root().data(), limbs(), s.tmp);
    std::copy_n(product + n_, n_, out);
  }

  void multiply_pair(mp_limb_t* out0, mp_limb_t* out1, const mp_limb_t* x0, const mp_limb_t* x1, const mp_limb_t* y0,
                     const mp_limb_t* y1, const Scratch& s) const {
    product_of(s.product, x0, y0, s.rest);
    const mp_limb_t gain = first_part(out0, s);
    product_of(s.product, x0, y1, s.rest);
    product_of(s.second, x1, y0, s.rest);
    const mp_limb_t high = mpn_add_n(s.second, s.second, s.product, 2 * n_);
    second_part(out1, s.second, high, gain, s);
  }

  // (out0, out1) = (x0, x1) times (y, 0); out may be x.
  void multiply_one(mp_limb_t* out0, mp_limb_t* out1, const mp_limb_t* x0, const mp_limb_t* x1, const mp_limb_t* y,
                    const Scratch& s) const {
    product_of(s.product, x0, y, s.rest);
    product_of(s.second, x1, y, s.rest);
    const mp_limb_t gain = first_part(out0, s);
    second_part(out1, s.second, 0, gain, s);
  }

  void square_pair(mp_limb_t* out0, mp_limb_t* out1, const mp_limb_t* x0, const mp_limb_t* x1, const Scratch& s) const {
    if (constant_)
      mpn_sec_sqr(s.product, x0, n_, s.rest);
    else
      mpn_sqr(s.product, x0, n_);
    const mp_limb_t gain = first_part(out0, s);
    product_of(s.second, x0, x1, s.rest);
    const mp_limb_t high = mpn_lshift(s.second, s.second, 2 * n_, 1);
    second_part(out1, s.second, high, gain, s);
  }

  // x += y modulo root, both below root. Returns 1 if root was subtracted.
  mp_limb_t add_modulo(mp_limb_t* x, const mp_limb_t* y, const Scratch& s) const {
    mp_limb_t high = mpn_add_n(x, x, y, n_);
    return subtract_once(x, high, root().data(), limbs(), s.tmp);
  }

  void advance_one(KernelWord* power, const KernelWord* step, std::size_t lane, const Scratch& s) const {
    mp_limb_t *y = of(power, 0, lane), *v = of(power, 1, lane);
    product_of(s.product, y, of(step, 0, lane), s.rest);
    const mp_limb_t taken = first_part(y, s);
    std::copy_n(s.q, n_, s.kept);
    product_of(s.product, v, of(step, 1, lane), s.rest);
    const mp_limb_t taken_inverse = first_part(v, s);
    std::copy_n(s.q, n_, s.second);
    advance_tail(of(power, 2, lane), of(step, 2, lane), s.kept, v, taken, s);
    advance_tail(of(power, 3, lane), of(step, 3, lane), s.second, y, taken_inverse, s);
  }

  // z += step + q * v / R, less v where root was subtracted from the residue; v is the residue of the inverse.
  void advance_tail(mp_limb_t* z, const mp_limb_t* step, mp_limb_t* q, const mp_limb_t* v, mp_limb_t taken,
                    const Scratch& s) const {
    product_of(s.product, q, v, s.rest);
    first_part(q, s);
    add_modulo(z, step, s);
    add_modulo(z, q, s);
    mpn_cnd_add_n(mpn_cnd_sub_n(taken, z, z, v, n_), z, z, root().data(), n_);
  }

  bool constant_;
  mp_size_t n_;
  mp_limb_t k0_;
};

// 2^(m-1) modulo m by Montgomery squarings and chebyshev_steps, from the top bit down.
bool fermat_one(const mp_limb_t* m, std::size_t limbs) {
  const auto n = static_cast<mp_size_t>(limbs);
  Limbs scratch(6 * limbs + 2);
  mp_limb_t *x = scratch.data(), *product = x + n, *q = product + 2 * n + 1, *tmp = q + n;
  mp_limb_t* one = tmp + n;  // R modulo m
  const mp_limb_t k0 = negative_inverse(m[0]);
  product[n] = 1;
  mpn_tdiv_qr(q, one, 0, product, n + 1, m, n);
  std::copy_n(one, n, x);
  mp_limb_t wrong = 0;
  for (std::size_t bit = 64 * limbs; bit-- > 0;) {
    mpn_sqr(product, x, n);
    mp_limb_t high = montgomery_reduce(product, q, m, n, k0);
    subtract_once(product + n, high, m, limbs, tmp);
    std::copy_n(product + n, n, x);
    const mp_limb_t exponent = bit < 64 ? m[0] - 1 : m[bit / 64];
    high = mpn_cnd_add_n(exponent >> bit % 64 & 1, x, x, x, n);
    subtract_once(x, high, m, limbs, tmp);
  }
  for (std::size_t i = 0; i < limbs; ++i) wrong |= x[i] ^ one[i];
  return wrong == 0;
}

}  // namespace

std::unique_ptr<PairKernel> make_portable_kernel(const Limbs& root, Timing timing) {
  return std::make_unique<PortableKernel>(root, timing);
}

unsigned fermat_portable(const mp_limb_t* candidates, std::size_t n, std::size_t count) {
  unsigned passed = 0;
  for (std::size_t i = 0; i < count; ++i)
    if (fermat_one(candidates + i * n, n)) passed |= 1u << i;
  return passed;
}

}  // namespace pgmpc
