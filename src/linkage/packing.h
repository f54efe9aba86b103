// What: packing of a record's column values into the slots of Paillier plaintexts, and of the masks that hide them.
// Terms: slot = 121 bits: 40-bit value (x_int + 2^39), 80 bits of statistical mask above it, 1 guard bit;
//        mask r' = uniform in [0, 2^120), one per used slot; slot i of a ciphertext sits at bit 121 * i.
// Invariants: every record has the same number of ciphertexts; value + mask < 2^121, so no slot ever carries into its
//             neighbour; unused slots hold 0 and get no mask. After decryption the owner of the column keeps
//             x_int + r' and the other controller -r', both mod p = 2^127 - 1: additive shares of x_int.
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
  // key_bits 2048, 3072 or 4096 give 16, 25 or 33 slots per ciphertext.
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

// Plaintexts of the given records, in the order of `rows`. columns[c][rows[i]] = x_int of column c.
SecretBytes pack_values(const SlotLayout& layout, std::span<const std::span<const std::int64_t>> columns,
                        std::span<const std::uint32_t> rows);

// Row-major: records * columns masks.
SecretVector<Mask> draw_masks(const SlotLayout& layout, std::size_t records, Rng& rng);
SecretBytes pack_masks(const SlotLayout& layout, std::span<const Mask> masks);
// The other controller's additive shares: -r' mod p.
FpVector mask_shares(std::span<const Mask> masks);

// The owner's additive shares x_int + r' mod p from decrypted sums, row-major.
// Error(protocol_violation) when bits outside the used slots are set.
FpVector unpack_shares(const SlotLayout& layout, ByteView plaintexts);

}  // namespace pgmpc
