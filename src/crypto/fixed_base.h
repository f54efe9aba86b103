// What: powers of one fixed base modulo a fixed square, by a table of all window values at all window positions: one
//       multiplication per window, no squarings; 8 exponents at once.
// Terms: window = some bits of the exponent; row = the 2^window powers base^(d * 2^(window * i)) of window i.
// Invariants: every window costs one multiplication whatever its digit; the table is built by the constructor, only
// read
//             afterwards (power() may run on many threads), and cleansed with the object. Table reads depend on the
//             exponent, which is fresh for every record; long-lived exponents go through crypto/secret_power.h.
//             Memory: the widest window of 4 to 8 bits whose table fits the bytes given, but at least 4 bits. At 3072
//             bits and 8 bits per window: 47 MB for both primes of an own key, 98 MB for masks.
#pragma once
#include "crypto/pair_modulus.h"

namespace pgmpc {

class FixedBase {
 public:
  // base: 2n limbs, below the square. modulus outlives this object.
  FixedBase(const PairModulus& modulus, const Limbs& base, std::size_t exponent_bits, std::size_t table_bytes);
  // out = base^exponents in Montgomery form. exponents: one after the other, exponent_limbs() each, below
  // 2^exponent_bits, for work.lanes lanes. scratch: 2 batches.
  void power(KernelWord* out, const mp_limb_t* exponents, KernelWork& work, KernelWord* scratch) const;
  std::size_t exponent_limbs() const { return (exponent_bits_ + 63) / 64; }
  std::size_t table_bytes() const { return table_.size() * sizeof(KernelWord); }

 private:
  const std::uint64_t* entry(std::size_t window, std::size_t digit) const {
    return reinterpret_cast<const std::uint64_t*>(table_.data()) + ((window << window_) + digit) * entry_size_;
  }
  std::uint64_t* entry(std::size_t window, std::size_t digit) {
    return reinterpret_cast<std::uint64_t*>(table_.data()) + ((window << window_) + digit) * entry_size_;
  }
  std::size_t digit(const mp_limb_t* exponent, std::size_t window) const;
  void find_entries(const std::uint64_t** out, const mp_limb_t* exponents, std::size_t window, std::size_t lanes) const;
  void reserve_table();
  void build(const Limbs& base);
  void build_rows(std::size_t first, std::size_t rows, const KernelWord* bases, KernelWork& work);

  const PairModulus* modulus_;
  std::size_t exponent_bits_, entry_size_, window_, windows_;
  KernelWords table_;
};

}  // namespace pgmpc
