// Packs a record's column values into the slots of Paillier plaintexts, and the masks that hide them.
//
// Terms
// slot: 121 bits: a 40-bit value (x_int + 2^39), 80 bits of statistical mask above it, and 1 guard bit. Slot i of a
// ciphertext starts at bit 121 * i.
// mask: r' uniform in [0, 2^120), one per used slot.
//
// Invariants
// Every record has the same number of ciphertexts. value + mask < 2^121, so no slot carries into the next one. Unused
// slots hold 0 and get no mask. After decryption the owner of the column keeps x_int + r' and the other controller -r',
// both mod p = 2^127 - 1: additive shares of x_int.
#pragma once
#include <cstdint>
#include <span>

#include "base/rng.h"
#include "base/secret.h"
#include "sharing/field.h"

namespace pgmpc {

inline constexpr int kSlotValueBits = 40;
inline constexpr int kSlotMaskBits = kSlotValueBits + 80;  // a mask covers the value and 80 bits more
inline constexpr int kSlotBits = kSlotMaskBits + 1;

class SlotLayout {
 public:
  // key_bits 2048, 3072 or 4096 give 16, 25 or 33 slots per ciphertext. Throws Error(internal) without columns.
  SlotLayout(int key_bits, std::size_t columns);
  std::size_t columns() const { return columns_; }
  std::size_t slots_per_ciphertext() const { return slots_; }
  std::size_t ciphertexts_per_record() const { return (columns_ + slots_ - 1) / slots_; }
  std::size_t plaintext_size() const { return plaintext_size_; }
  std::size_t record_plaintext_size() const { return ciphertexts_per_record() * plaintext_size_; }

 private:
  std::size_t columns_, slots_, plaintext_size_;
};

using Mask = u128;  // r'

// Returns the plaintexts of the given records, in the order of `rows`. columns[c][rows[i]] = x_int of column c. Throws
// Error(out_of_range) for a value outside [-2^39, 2^39).
SecretBytes pack_values(const SlotLayout& layout, std::span<const std::span<const std::int64_t>> columns,
                        std::span<const std::uint32_t> rows);

// Returns records * columns masks, row-major. pack_masks puts them into plaintexts.
SecretVector<Mask> draw_masks(const SlotLayout& layout, std::size_t records, Rng& rng);
SecretBytes pack_masks(const SlotLayout& layout, std::span<const Mask> masks);
// Returns the other controller's additive shares: -r' mod p.
FpVector mask_shares(std::span<const Mask> masks);

// Returns the owner's additive shares x_int + r' mod p from decrypted sums, row-major. Throws Error(protocol_violation)
// when bits outside the used slots are set.
FpVector unpack_shares(const SlotLayout& layout, ByteView plaintexts);

}  // namespace pgmpc
