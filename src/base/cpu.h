// Says which bignum kernels this build and this processor support, and selects the one that new computations use.
#pragma once

namespace pgmpc {

enum class KernelKind { ifma, avx2, portable };

bool ifma_supported() noexcept;  // by this build and by this processor
bool avx2_supported() noexcept;
// The kernel of new computations: IFMA where the processor has it, else AVX2, else the portable kernel. The environment
// can forbid the faster ones: PG_MPC_PORTABLE=1 leaves the portable kernel only, PG_MPC_PORTABLE=avx2 forbids IFMA.
KernelKind selected_kernel() noexcept;
// For tests and benchmarks that run several kernels in one process. Throws Error(not_supported).
void select_kernel(KernelKind kind);

}  // namespace pgmpc
