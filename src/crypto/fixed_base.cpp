// What: the bodies of crypto/fixed_base.h.
#include "crypto/fixed_base.h"

#include <algorithm>

namespace pgmpc {

FixedBase::FixedBase(const Modulus& modulus, const Limbs& base, std::size_t exponent_bits)
    : modulus_(&modulus),
      exponent_bits_(exponent_bits),
      windows_((exponent_bits + kWindow - 1) / kWindow),
      table_((windows_ << kWindow) * modulus.size()) {
  const std::size_t n = modulus.size(), digits = std::size_t{1} << kWindow;
  Limbs scratch(modulus.scratch()), step = base.clone();
  for (std::size_t w = 0; w < windows_; ++w) {
    mp_limb_t* row = table_.data() + (w << kWindow) * n;
    row[0] = 1;  // the other limbs are 0
    for (std::size_t d = 1; d < digits; ++d)
      modulus.multiply(row + d * n, row + (d - 1) * n, step.data(), scratch.data());
    modulus.multiply(step.data(), row + (digits - 1) * n, step.data(), scratch.data());
  }
}

void FixedBase::power(mp_limb_t* out, const mp_limb_t* exponent, mp_limb_t* scratch) const {
  const std::size_t n = modulus_->size(), limbs = exponent_limbs();
  const auto digit = [&](std::size_t window) {
    const std::size_t bit = window * kWindow, limb = bit / 64, shift = bit % 64;
    mp_limb_t value = exponent[limb] >> shift;
    if (shift + kWindow > 64 && limb + 1 < limbs) value |= exponent[limb + 1] << (64 - shift);
    return value & ((mp_limb_t{1} << kWindow) - 1);
  };
  std::copy_n(entry(0, digit(0)), n, out);
  for (std::size_t w = 1; w < windows_; ++w) modulus_->multiply(out, out, entry(w, digit(w)), scratch);
}

}  // namespace pgmpc
