// What: the choice of the kernel and what both kernels share (crypto/kernel.h).
#include "crypto/kernel.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace pgmpc {

namespace {

KernelKind default_kernel() noexcept {
  const char* value = std::getenv("PG_MPC_PORTABLE");
  const std::string_view forced = value == nullptr ? "" : value;
  if (forced == "1") return KernelKind::portable;
  if (ifma_supported() && forced != "avx2") return KernelKind::ifma;
  return avx2_supported() ? KernelKind::avx2 : KernelKind::portable;
}

std::atomic<KernelKind>& current_kernel() noexcept {
  static std::atomic<KernelKind> kind{default_kernel()};
  return kind;
}

}  // namespace

KernelKind selected_kernel() noexcept { return current_kernel().load(std::memory_order_relaxed); }

void select_kernel(KernelKind kind) {
  if (kind == KernelKind::ifma && !ifma_supported())
    throw Error(ErrorCode::not_supported, "this processor has no AVX512-IFMA instructions");
  if (kind == KernelKind::avx2 && !avx2_supported())
    throw Error(ErrorCode::not_supported, "this processor has no AVX2 instructions");
  current_kernel().store(kind, std::memory_order_relaxed);
}

std::unique_ptr<PairKernel> PairKernel::make(const Limbs& root, Timing timing, KernelKind kind) {
  if (root.empty() || root.size() > 64 || root.back() == 0 || (root[0] & 1) == 0)
    throw Error(ErrorCode::internal, "a modulus that no kernel takes");
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
