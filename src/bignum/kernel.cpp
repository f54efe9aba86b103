// Chooses a kernel and holds what all kernels share (bignum/kernel.h).
#include "bignum/kernel.h"

#include "base/error.h"

namespace pgmpc {

std::unique_ptr<PairKernel> PairKernel::make(const Limbs& root, Timing timing, KernelKind kind) {
  if (root.empty() || root.size() > 64 || root.back() == 0 || (root[0] & 1) == 0)
    throw Error(ErrorCode::internal, "no kernel supports this modulus");
  switch (kind) {
    case KernelKind::ifma:
      return make_ifma_kernel(root);
    case KernelKind::avx2:
      return make_avx2_kernel(root);
    default:
      return make_portable_kernel(root, timing);
  }
}

KernelWork PairKernel::work(std::size_t lanes) const {
  return {lanes, KernelWords(scratch_words_), Limbs(scratch_limbs_)};
}

unsigned fermat_base_two(const mp_limb_t* candidates, std::size_t n, std::size_t count, KernelKind kind) {
  return kind == KernelKind::ifma ? fermat_ifma(candidates, n, count) : fermat_portable(candidates, n, count);
}

}  // namespace pgmpc
