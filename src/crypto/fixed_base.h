// What: powers of one fixed base modulo a fixed modulus, by a table of all window values at all window positions: one
//       multiplication per window, no squarings.
// Terms: window = kWindow bits of the exponent; row = the 2^kWindow powers base^(d * 2^(kWindow * i)) of window i.
// Invariants: every window costs one multiplication whatever its digit; the table is built by the constructor and only
//             read afterwards, so power() may run on many threads. 6 bits: 12 MB for own keys and 26 MB for masks at
//             3072 bits, built in some 0.1-0.3 s; two more bits would save a quarter of the time for three times the
//             memory.
#pragma once
#include "crypto/mpz.h"

namespace pgmpc {

class FixedBase {
 public:
  static constexpr std::size_t kWindow = 6;

  // base: modulus.size() limbs, below the modulus.
  FixedBase(const Modulus& modulus, const Limbs& base, std::size_t exponent_bits);
  // out = base^exponent; exponent of (exponent_bits + 63) / 64 limbs, below 2^exponent_bits.
  void power(mp_limb_t* out, const mp_limb_t* exponent, mp_limb_t* scratch) const;
  std::size_t exponent_limbs() const { return (exponent_bits_ + 63) / 64; }

 private:
  const mp_limb_t* entry(std::size_t window, std::size_t digit) const {
    return table_.data() + ((window << kWindow) + digit) * modulus_->size();
  }

  const Modulus* modulus_;  // owned by the same tables, outlives this object
  std::size_t exponent_bits_, windows_;
  Limbs table_;
};

}  // namespace pgmpc
