#include "base/cpu.h"

#include <atomic>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace pgmpc {

#if defined(__x86_64__)
bool ifma_supported() noexcept { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma"); }
bool avx2_supported() noexcept { return __builtin_cpu_supports("avx2"); }
#else
bool ifma_supported() noexcept { return false; }
bool avx2_supported() noexcept { return false; }
#endif

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

}  // namespace pgmpc
