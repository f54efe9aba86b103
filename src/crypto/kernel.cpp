// What: the choice of the kernel and what both kernels share (crypto/kernel.h).
#include "crypto/kernel.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace pgmpc {

namespace {

KernelKind default_kernel() noexcept {
  const char* portable = std::getenv("PG_MPC_PORTABLE");
  if (portable != nullptr && std::string_view(portable) == "1") return KernelKind::portable;
  return ifma_supported() ? KernelKind::ifma : KernelKind::portable;
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
  current_kernel().store(kind, std::memory_order_relaxed);
}

std::unique_ptr<PairKernel> PairKernel::make(const Limbs& root, Timing timing, KernelKind kind) {
  if (root.empty() || root.size() > 64 || root.back() == 0 || (root[0] & 1) == 0)
    throw Error(ErrorCode::internal, "a modulus that no kernel takes");
  return kind == KernelKind::ifma ? make_ifma_kernel(root) : make_portable_kernel(root, timing);
}

KernelWork PairKernel::work(std::size_t lanes) const {
  return {lanes, KernelWords(scratch_words_), Limbs(scratch_limbs_)};
}

unsigned fermat_base_two(const mp_limb_t* candidates, std::size_t n, std::size_t count, KernelKind kind) {
  return kind == KernelKind::ifma ? fermat_ifma(candidates, n, count) : fermat_portable(candidates, n, count);
}

mp_limb_t subtract_once(mp_limb_t* x, mp_limb_t& high, const mp_limb_t* root, std::size_t n, mp_limb_t* tmp) {
  const auto size = static_cast<mp_size_t>(n);
  const mp_limb_t borrow = mpn_sub_n(tmp, x, root, size);
  const mp_limb_t below = borrow & ((high - 1) >> 63);  // high is small: its top bit is set after -1 only for 0
  mpn_cnd_add_n(below, x, tmp, root, size);
  high = high - borrow + below;
  return 1 - below;
}

mp_limb_t negative_inverse(mp_limb_t x) {
  mp_limb_t inverse = x;  // 3 bits, doubled by each step
  for (int i = 0; i < 5; ++i) inverse *= 2 - x * inverse;
  return 0 - inverse;
}

}  // namespace pgmpc
