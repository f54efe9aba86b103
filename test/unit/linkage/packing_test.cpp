// Slots: layout, extremes next to each other, unused slots, refusals. The tests add plaintexts in place of ciphertexts;
// join_test.cpp encrypts.
#include "linkage/packing.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

constexpr std::int64_t kLowest = -(std::int64_t{1} << 39), kHighest = (std::int64_t{1} << 39) - 1;
constexpr Mask kLargestMask = (static_cast<Mask>(1) << 120) - 1;

// Sums of big-endian plaintexts, each of `size` bytes.
SecretBytes add(const SecretBytes& a, const SecretBytes& b, std::size_t size) {
  SecretBytes out(a.size());
  for (std::size_t first = 0; first < a.size(); first += size) {
    unsigned carry = 0;
    for (std::size_t i = size; i-- > 0; carry >>= 8) {
      carry += static_cast<unsigned>(a[first + i]) + b[first + i];
      out[first + i] = static_cast<std::uint8_t>(carry);
    }
    EXPECT_EQ(carry, 0u);
  }
  return out;
}

TEST(Packing, SlotsPerCiphertext) {
  EXPECT_EQ(SlotLayout(2048, 1).slots_per_ciphertext(), 16u);
  EXPECT_EQ(SlotLayout(3072, 1).slots_per_ciphertext(), 25u);
  EXPECT_EQ(SlotLayout(4096, 1).slots_per_ciphertext(), 33u);
  EXPECT_EQ(SlotLayout(3072, 25).ciphertexts_per_record(), 1u);
  EXPECT_EQ(SlotLayout(3072, 26).ciphertexts_per_record(), 2u);
  EXPECT_EQ(SlotLayout(3072, 26).record_plaintext_size(), 768u);
  EXPECT_THROW(SlotLayout(3072, 0), Error);
}

// Every pair (value, mask) of extremes, in all slots, next to every other pair: no carry reaches another slot.
TEST(Packing, ExtremesDoNotReachTheirNeighbours) {
  const std::int64_t values[] = {kLowest, -1, 0, 1, kHighest};
  const Mask masks[] = {0, 1, static_cast<Mask>(1) << 39, kLargestMask};
  for (int bits : {2048, 3072, 4096}) {
    const SlotLayout layout(bits, 70);
    for (int shift = 0; shift < 20; ++shift) {
      std::vector<std::vector<std::int64_t>> columns;
      std::vector<std::span<const std::int64_t>> spans;
      SecretVector<Mask> mask;
      for (int c = 0; c < 70; ++c) {
        const int k = (c * 7 + c / 20 + shift) % 20;
        columns.push_back({values[k % 5]});
        mask.push_back(masks[k / 5]);
      }
      for (const auto& column : columns) spans.emplace_back(column);
      const std::uint32_t rows[] = {0};
      const FpVector owner = unpack_shares(
          layout, view_of(add(pack_values(layout, spans, rows), pack_masks(layout, mask), layout.plaintext_size())));
      const FpVector other = mask_shares(mask);
      for (std::size_t c = 0; c < 70; ++c) {
        EXPECT_EQ((owner[c] + other[c]).to_signed(), static_cast<i128>(columns[c][0])) << c;
        EXPECT_EQ(owner[c], Fp::from_int(columns[c][0]) + Fp::reduce(mask[c]));
      }
    }
  }
}

TEST(Packing, RowsAndMasksKeepTheirOrder) {
  TestRng rng(4);
  const SlotLayout layout(2048, 3);
  const std::vector<std::int64_t> x{10, 11, 12}, y{-10, -11, -12}, z{0, 1, 0};
  const std::span<const std::int64_t> columns[] = {x, y, z};
  const std::uint32_t rows[] = {2, 0};
  const auto masks = draw_masks(layout, 2, rng);
  ASSERT_EQ(masks.size(), 6u);
  const FpVector owner = unpack_shares(
      layout, view_of(add(pack_values(layout, columns, rows), pack_masks(layout, masks), layout.plaintext_size())));
  const FpVector other = mask_shares(masks);
  const std::vector<int> expected{12, -12, 0, 10, -10, 0};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ((owner[i] + other[i]).to_signed(), static_cast<i128>(expected[i]));
}

TEST(Packing, MasksCoverTheirRange) {
  TestRng rng(5);
  const SlotLayout layout(2048, 16);
  Mask any = 0, all = kLargestMask;
  for (Mask mask : draw_masks(layout, 100, rng)) {
    EXPECT_LE(mask, kLargestMask);
    any |= mask;
    all &= mask;
  }
  EXPECT_EQ(any, kLargestMask);
  EXPECT_EQ(all, static_cast<Mask>(0));
}

TEST(Packing, RefusesValuesOutsideTheSlot) {
  const SlotLayout layout(2048, 1);
  const std::uint32_t rows[] = {0};
  for (std::int64_t value : {kLowest - 1, kHighest + 1, INT64_MIN, INT64_MAX}) {
    const std::span<const std::int64_t> columns[] = {std::span<const std::int64_t>(&value, 1)};
    EXPECT_THROW(pack_values(layout, columns, rows), Error);
  }
  SecretVector<Mask> large;
  large.push_back(kLargestMask + 1);
  EXPECT_THROW(pack_masks(layout, large), Error);
}

TEST(Packing, RefusesBitsOutsideTheUsedSlots) {
  const SlotLayout layout(2048, 17);  // the second ciphertext uses one slot
  SecretBytes record(layout.record_plaintext_size());
  EXPECT_NO_THROW(unpack_shares(layout, view_of(record)));
  const auto set_bit = [&](std::size_t ciphertext, std::size_t bit) {
    SecretBytes changed = record.clone();
    changed[ciphertext * 256 + 255 - bit / 8] = static_cast<std::uint8_t>(1u << (bit % 8));
    return changed;
  };
  EXPECT_NO_THROW(unpack_shares(layout, view_of(set_bit(1, 120))));
  EXPECT_NO_THROW(unpack_shares(layout, view_of(set_bit(0, 16 * 121 - 1))));
  for (const auto& [ciphertext, bit] :
       {std::pair<std::size_t, std::size_t>{1, 121}, {1, 2047}, {0, 16 * 121}, {0, 2047}}) {
    try {
      unpack_shares(layout, view_of(set_bit(ciphertext, bit)));
      FAIL() << "bit " << bit << " was ignored";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::protocol_violation);
    }
  }
  EXPECT_THROW(unpack_shares(layout, ByteView(record.data(), 511)), Error);
}

}  // namespace
}  // namespace pgmpc
