// Which kernels this build and this processor have, and which of them new computations use.
#pragma once

namespace pgmpc {

enum class KernelKind { ifma, avx2, portable };

bool ifma_supported() noexcept;  // by this build and this processor
bool avx2_supported() noexcept;
// What new kernels use: IFMA where the processor has it, else AVX2, else the portable kernel. The environment can
// forbid the better ones: PG_MPC_PORTABLE=1 leaves the portable kernel only, PG_MPC_PORTABLE=avx2 forbids IFMA.
KernelKind selected_kernel() noexcept;
// For tests and benchmarks, which run both kernels in one process. Error(not_supported).
void select_kernel(KernelKind kind);

}  // namespace pgmpc
