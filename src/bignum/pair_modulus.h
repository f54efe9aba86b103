// A modulus root^2 with its kernel and the constants that bring numbers into and out of the kernel's form.
//
// Terms
// As in bignum/kernel.h. unit: the pair (1, 0), not in Montgomery form, so a product with it leaves that form. Every
// factor (1, t) does the same and multiplies by 1 + root * t. This is how a plaintext is put into a ciphertext.
#pragma once
#include <memory>

#include "bignum/kernel.h"

namespace pgmpc {

class PairModulus {
 public:
  PairModulus(const Integer& root, std::size_t limbs, Timing timing);

  const PairKernel& kernel() const { return *kernel_; }
  std::size_t limbs() const { return kernel_->limbs(); }
  const KernelWord* one() const { return one_.data(); }    // 1 in Montgomery form, in all lanes
  const KernelWord* unit() const { return unit_.data(); }  // in all lanes
  // out = batch in Montgomery form. out does not overlap batch.
  void enter(KernelWord* out, const KernelWord* batch, KernelWork& work) const {
    kernel_->multiply(out, batch, factor_.data(), work);
  }
  const Limbs& one_pair() const { return one_pair_; }  // R as a canonical pair: R modulo root, R / root
  // out = the inverse of value modulo root^2, 2n limbs each, in variable time. Throws Error(internal) when there is
  // none.
  void invert(mp_limb_t* out, const mp_limb_t* value) const;
  // Returns a batch with value (2n limbs, below root^2) in Montgomery form in all lanes.
  KernelWords spread(const Limbs& value) const;
  // x (2n limbs) = the number that a canonical pair stands for. scratch: 2n limbs.
  void join(mp_limb_t* x, const mp_limb_t* pair, mp_limb_t* scratch) const;

 private:
  Limbs pair_of(const Integer& value, const Integer& root) const;
  KernelWords all_lanes(const Limbs& pair) const;

  std::unique_ptr<PairKernel> kernel_;
  Limbs one_pair_;
  KernelWords one_, unit_, factor_;  // factor = R^2
};

}  // namespace pgmpc
