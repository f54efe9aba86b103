// Computes the Gram matrix of columns of shares: the part of an analysis with the most work per record. There are two
// kernels with the same choice as in base/cpu.h: AVX512-IFMA and portable.
//
// Invariants
// Both kernels return the same canonical elements. The cancel token is checked every kGramBlock rows.
//
// Security
// Time and memory access depend only on sizes. Scratch memory is cleansed.
#pragma once
#include <span>

#include "base/cancel.h"
#include "base/cpu.h"
#include "sharing/field.h"

namespace pgmpc {

inline constexpr std::size_t kGramBlock = 4096;

// Returns the upper triangle (i <= j, row by row) of sum_r x_i[r] * x_j[r] over columns of equal length. The result has
// degree 2 for shares of degree 1.
FpVector gram(std::span<const FpVector> columns, const CancelToken& cancel, KernelKind kind = selected_kernel());

// The kernels that gram() chooses from.
FpVector gram_ifma(std::span<const FpVector> columns, const CancelToken& cancel);
FpVector gram_portable(std::span<const FpVector> columns, const CancelToken& cancel);

}  // namespace pgmpc
