// What: the bodies of crypto/pair_modulus.h.
#include "crypto/pair_modulus.h"

#include <algorithm>

namespace pgmpc {

PairModulus::PairModulus(const Integer& root, std::size_t limbs, Timing timing)
    : kernel_(PairKernel::make(limbs_of(root, limbs), timing)) {
  Integer square, r;
  mpz_mul(square, root, root);
  mpz_setbit(r, kernel_->radix_bits());
  mpz_mod(r, r, square);
  unit_ = all_lanes(Integer(1ul), root);
  one_ = all_lanes(r, root);
  mpz_mul(r, r, r);
  mpz_mod(r, r, square);
  factor_ = all_lanes(r, root);
}

KernelWords PairModulus::all_lanes(const Integer& value, const Integer& root) const {
  const std::size_t n = limbs();
  Integer low, high;
  mpz_tdiv_qr(high, low, value, root);
  Limbs pair(2 * n);
  std::copy_n(limbs_of(low, n).data(), n, pair.data());
  std::copy_n(limbs_of(high, n).data(), n, pair.data() + n);
  KernelWords out(kernel_->batch_size());
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) kernel_->load(out.data(), lane, pair.data());
  return out;
}

KernelWords PairModulus::spread(const Limbs& value) const {
  const auto n = static_cast<mp_size_t>(limbs());
  Limbs pair(2 * limbs()), quotient(limbs() + 1);
  mpn_tdiv_qr(quotient.data(), pair.data(), 0, value.data(), 2 * n, kernel_->root().data(), n);
  std::copy_n(quotient.data(), n, pair.data() + n);
  KernelWords plain(kernel_->batch_size()), out(kernel_->batch_size());
  for (std::size_t lane = 0; lane < kKernelLanes; ++lane) kernel_->load(plain.data(), lane, pair.data());
  KernelWork work = kernel_->work();
  enter(out.data(), plain.data(), work);
  return out;
}

void PairModulus::join(mp_limb_t* x, const mp_limb_t* pair, mp_limb_t* scratch) const {
  const auto n = static_cast<mp_size_t>(limbs());
  mpn_mul_n(scratch, pair + n, kernel_->root().data(), n);
  mpn_add(x, scratch, 2 * n, pair, n);
}

}  // namespace pgmpc
