// What: the Gram matrix of columns of shares, the only part of the lasso whose cost grows with the number of records.
//       Two kernels with the same choice as in base/cpu.h: AVX512-IFMA and portable.
// Invariants: both kernels return the same canonical elements. Time and memory access depend on sizes only. Scratch is
//             cleansed. The token is looked at every kGramBlock rows.
#pragma once
#include <span>

#include "base/cancel.h"
#include "base/cpu.h"
#include "sharing/field.h"

namespace pgmpc {

inline constexpr std::size_t kGramBlock = 4096;

// Upper triangle (i <= j, row by row) of sum_r x_i[r] * x_j[r] over columns of equal length; degree 2.
FpVector gram(std::span<const FpVector> columns, const CancelToken& cancel, KernelKind kind = selected_kernel());

// The kernels that gram() chooses from.
FpVector gram_ifma(std::span<const FpVector> columns, const CancelToken& cancel);
FpVector gram_portable(std::span<const FpVector> columns, const CancelToken& cancel);

}  // namespace pgmpc
