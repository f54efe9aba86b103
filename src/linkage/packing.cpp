// Implements linkage/packing.h. Plaintexts are big-endian byte strings; bit 0 is the lowest bit of the last byte.
#include "linkage/packing.h"

#include <algorithm>

#include "base/error.h"
#include "base/mutants.h"
#include "crypto/keyed_hash.h"

namespace pgmpc {

namespace {

constexpr std::int64_t kValueOffset = std::int64_t{1} << (kSlotValueBits - 1);
constexpr std::size_t kMaskBytes = kSlotMaskBits / 8;
static_assert(kSlotMaskBits % 8 == 0);

// Ors a value of at most 121 bits into a plaintext at a bit position. The slot must be 0.
void put_slot(std::uint8_t* plaintext, std::size_t size, std::size_t bit, u128 value) {
  const std::size_t shift = bit % 8;
  std::uint8_t* at = plaintext + size - 1 - bit / 8;
  *at = static_cast<std::uint8_t>(*at | static_cast<std::uint8_t>(value << shift));
  value >>= 8 - shift;
  for (int left = kSlotBits - static_cast<int>(8 - shift); left > 0; left -= 8, value >>= 8) {
    --at;
    *at = static_cast<std::uint8_t>(*at | static_cast<std::uint8_t>(value));
  }
}

u128 get_slot(const std::uint8_t* plaintext, std::size_t size, std::size_t bit) {
  const std::size_t shift = bit % 8;
  const std::uint8_t* at = plaintext + size - 1 - bit / 8;
  u128 value = *at >> shift;
  for (int have = static_cast<int>(8 - shift); have < kSlotBits; have += 8) value |= static_cast<u128>(*--at) << have;
  return value & ((static_cast<u128>(1) << kSlotBits) - 1);
}

// Returns whether every bit at or above `bit` is 0.
bool clear_above(const std::uint8_t* plaintext, std::size_t size, std::size_t bit) {
  const std::size_t whole = size - 1 - bit / 8;
  std::uint8_t seen = static_cast<std::uint8_t>(plaintext[whole] >> (bit % 8));
  for (std::size_t i = 0; i < whole; ++i) seen |= plaintext[i];
  return seen == 0;
}

// Calls use(column, plaintext of the column's ciphertext, bit position) for every column of one record.
template <typename Pointer, typename Use>
void for_slots(const SlotLayout& layout, Pointer record, const Use& use) {
  for (std::size_t c = 0; c < layout.columns(); ++c)
    use(c, record + c / layout.slots_per_ciphertext() * layout.plaintext_size(),
        c % layout.slots_per_ciphertext() * kSlotBits);
}

void check_unused(const SlotLayout& layout, const std::uint8_t* record) {
  for (std::size_t k = 0; k < layout.ciphertexts_per_record(); ++k) {
    const std::size_t used =
        std::min(layout.slots_per_ciphertext(), layout.columns() - k * layout.slots_per_ciphertext());
    if (!clear_above(record + k * layout.plaintext_size(), layout.plaintext_size(), used * kSlotBits))
      throw Error(ErrorCode::protocol_violation, "a decrypted record does not have the agreed layout");
  }
}

// The mutant of rule F2: an engine that repeats an attempt with the masks of the last one.
void fill_as_in_every_attempt(SecretBytes& random) {
  for (std::size_t at = 0; at < random.size(); at += 32) {
    Bytes position;
    Writer(position).u64(at);
    const Hash block = sha256(position);
    std::copy_n(block.begin(), std::min<std::size_t>(32, random.size() - at), random.begin() + static_cast<long>(at));
  }
}

}  // namespace

SlotLayout::SlotLayout(int key_bits, std::size_t columns)
    : columns_(columns),
      slots_(static_cast<std::size_t>(key_bits - 1) / kSlotBits),
      plaintext_size_(static_cast<std::size_t>(key_bits) / 8) {
  if (columns == 0 || key_bits < 2048) throw Error(ErrorCode::internal, "invalid slot layout");
}

SecretBytes pack_values(const SlotLayout& layout, std::span<const std::span<const std::int64_t>> columns,
                        std::span<const std::uint32_t> rows) {
  if (columns.size() != layout.columns()) throw Error(ErrorCode::internal, "columns do not fit the slot layout");
  SecretBytes out(rows.size() * layout.record_plaintext_size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    for_slots(layout, out.data() + i * layout.record_plaintext_size(),
              [&](std::size_t c, std::uint8_t* plaintext, std::size_t bit) {
                const std::int64_t x = columns[c][rows[i]];
                if (x < -kValueOffset || x >= kValueOffset)
                  throw Error(ErrorCode::out_of_range, "an encoded value does not fit its slot");
                put_slot(plaintext, layout.plaintext_size(), bit, static_cast<u128>(x + kValueOffset));
              });
  return out;
}

SecretVector<Mask> draw_masks(const SlotLayout& layout, std::size_t records, Rng& rng) {
  SecretVector<Mask> masks(records * layout.columns());
  SecretBytes random(masks.size() * kMaskBytes);
  rng.fill(random);
  if (mutant(Mutant::join_masks_reused)) fill_as_in_every_attempt(random);
  for (std::size_t i = 0; i < masks.size(); ++i)
    for (std::size_t b = 0; b < kMaskBytes; ++b) masks[i] = masks[i] << 8 | random[i * kMaskBytes + b];
  return masks;
}

SecretBytes pack_masks(const SlotLayout& layout, std::span<const Mask> masks) {
  if (masks.size() % layout.columns() != 0) throw Error(ErrorCode::internal, "masks do not fit the slot layout");
  const std::size_t records = masks.size() / layout.columns();
  SecretBytes out(records * layout.record_plaintext_size());
  for (std::size_t i = 0; i < records; ++i)
    for_slots(layout, out.data() + i * layout.record_plaintext_size(),
              [&](std::size_t c, std::uint8_t* plaintext, std::size_t bit) {
                const Mask mask = masks[i * layout.columns() + c];
                if (mask >> kSlotMaskBits != 0) throw Error(ErrorCode::internal, "a mask does not fit its slot");
                put_slot(plaintext, layout.plaintext_size(), bit, mask);
              });
  return out;
}

FpVector mask_shares(std::span<const Mask> masks) {
  FpVector shares;
  shares.reserve(masks.size());
  for (const Mask& mask : masks) shares.push_back(-Fp::reduce(mask));
  return shares;
}

FpVector unpack_shares(const SlotLayout& layout, ByteView plaintexts) {
  if (plaintexts.size() % layout.record_plaintext_size() != 0)
    throw Error(ErrorCode::internal, "plaintexts do not fit the slot layout");
  const std::size_t records = plaintexts.size() / layout.record_plaintext_size();
  FpVector shares(records * layout.columns());
  for (std::size_t i = 0; i < records; ++i) {
    const std::uint8_t* record = plaintexts.data() + i * layout.record_plaintext_size();
    check_unused(layout, record);
    for_slots(layout, record, [&](std::size_t c, const std::uint8_t* plaintext, std::size_t bit) {
      const u128 slot = get_slot(plaintext, layout.plaintext_size(), bit);
      shares[i * layout.columns() + c] = Fp::reduce(slot) - Fp::from_int(kValueOffset);
    });
  }
  return shares;
}

}  // namespace pgmpc
