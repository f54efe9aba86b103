// What: powers with one long-lived secret exponent, 8 bases at once: decryption.
// Invariants: constant time: fixed windows of 5 bits, the same digit in all lanes, every table access reads the whole
//             table, one multiplication per window whatever its digit.
#pragma once
#include "crypto/pair_modulus.h"

namespace pgmpc {

inline constexpr std::size_t kSecretWindow = 5, kSecretEntries = std::size_t{1} << kSecretWindow;

inline std::size_t secret_power_scratch(const PairKernel& kernel) { return (kSecretEntries + 2) * kernel.batch_size(); }

// out = base^exponent, all in Montgomery form. out and base do not overlap. scratch: secret_power_scratch() words.
void secret_power(KernelWord* out, const KernelWord* base, const Limbs& exponent, const PairModulus& modulus,
                  KernelWork& work, KernelWord* scratch);

}  // namespace pgmpc
