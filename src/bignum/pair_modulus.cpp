// Implements bignum/pair_modulus.h.
#include "bignum/pair_modulus.h"

#include <algorithm>

#include "base/error.h"

namespace pgmpc {

PairModulus::PairModulus(const Integer& root, std::size_t limbs, Timing timing)
    : kernel_(PairKernel::make(limbs_of(root, limbs), timing)) {
  Integer square, r;
  mpz_mul(square, root, root);
  mpz_setbit(r, kernel_->radix_bits());
  mpz_mod(r, r, square);
  one_pair_ = pair_of(r, root);
  one_ = all_lanes(one_pair_);
  unit_ = all_lanes(pair_of(Integer(1ul), root));
  mpz_mul(r, r, r);
  mpz_mod(r, r, square);
  factor_ = all_lanes(pair_of(r, root));
}

Limbs PairModulus::pair_of(const Integer& value, const Integer& root) const {
  const std::size_t n = limbs();
  Integer low, high;
  mpz_tdiv_qr(high, low, value, root);
  Limbs pair(2 * n);
  std::copy_n(limbs_of(low, n).data(), n, pair.data());
  std::copy_n(limbs_of(high, n).data(), n, pair.data() + n);
  return pair;
}

KernelWords PairModulus::all_lanes(const Limbs& pair) const {
  KernelWords out(kernel_->batch_size());
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) kernel_->load(out.data(), lane, pair.data());
  return out;
}

KernelWords PairModulus::spread(const Limbs& value) const {
  const auto n = static_cast<mp_size_t>(limbs());
  Limbs pair(2 * limbs()), quotient(limbs() + 1);
  mpn_tdiv_qr(quotient.data(), pair.data(), 0, value.data(), 2 * n, kernel_->root().data(), n);
  std::copy_n(quotient.data(), n, pair.data() + n);
  const KernelWords plain = all_lanes(pair);
  KernelWords out(kernel_->batch_size());
  KernelWork work = kernel_->work();
  enter(out.data(), plain.data(), work);
  return out;
}

void PairModulus::invert(mp_limb_t* out, const mp_limb_t* value) const {
  Integer x, square;
  mpz_import(x, 2 * limbs(), -1, sizeof(mp_limb_t), 0, 0, value);
  mpz_import(square, limbs(), -1, sizeof(mp_limb_t), 0, 0, kernel_->root().data());
  mpz_mul(square, square, square);
  if (mpz_invert(x, x, square) == 0) throw Error(ErrorCode::internal, "a base has no inverse");
  std::copy_n(limbs_of(x, 2 * limbs()).data(), 2 * limbs(), out);
}

void PairModulus::join(mp_limb_t* x, const mp_limb_t* pair, mp_limb_t* scratch) const {
  const auto n = static_cast<mp_size_t>(limbs());
  mpn_mul_n(scratch, pair + n, kernel_->root().data(), n);
  mpn_add(x, scratch, 2 * n, pair, n);
}

}  // namespace pgmpc
