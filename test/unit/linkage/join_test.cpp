// The join end to end, as the protocol runs it: pseudonyms, match, own-key ciphertexts, masks under the owner's key,
// sums, decryption, additive shares.
// It uses the numbers of the example and extremes. The attack on masks that are used twice (rule F2) must find nothing
// here and everything in its mutant.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/mutants.h"
#include "crypto/paillier.h"
#include "linkage/encoding.h"
#include "linkage/identifiers.h"
#include "linkage/match.h"
#include "linkage/packing.h"
#include "linkage/pseudonymise.h"
#include "support/test_keys.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

using Columns = std::vector<std::vector<std::int64_t>>;

struct Shares {
  FpVector owner, other;  // matched * columns, row-major, in the secret order
};

// One direction of steps 3, 5 and 6: the owner's columns become additive shares of the matched records.
// pushed = source rows in pushed order, positions = pushed rows in the secret order.
class Direction {
 public:
  Direction(const PaillierPrivateKey& key, const Columns& columns, TestRng& rng)
      : key_(key), layout_(key.public_key().bits(), columns.size()), rng_(rng) {
    for (const auto& column : columns) spans_.emplace_back(column);
  }
  const SlotLayout& layout() const { return layout_; }

  Bytes encrypt_all(std::span<const std::uint32_t> pushed) {
    const SecretBytes plaintexts = pack_values(layout_, spans_, pushed);
    Bytes out(plaintexts.size() * 2);
    PaillierOwnEncryptor(key_, rng_).encrypt(view_of(plaintexts), out, pool_, cancel_);
    return out;
  }

  // What the third party keeps: the ciphertexts of matched records in the secret order.
  Bytes keep(const Bytes& all, std::span<const std::uint32_t> positions) const {
    const std::size_t record = layout_.record_plaintext_size() * 2;
    Bytes out;
    for (std::uint32_t row : positions)
      out.insert(out.end(), all.begin() + static_cast<long>(row * record),
                 all.begin() + static_cast<long>((row + 1) * record));
    return out;
  }

  Shares share(const Bytes& kept, const SecretVector<Mask>& masks) {
    const SecretBytes packed = pack_masks(layout_, masks);
    Bytes ciphertexts(packed.size() * 2), sums(packed.size() * 2);
    PaillierMaskEncryptor(key_.public_key(), rng_).encrypt(view_of(packed), ciphertexts, pool_, cancel_);
    const PaillierEvaluator evaluator(key_.public_key());
    evaluator.check_ciphertexts(ciphertexts, pool_, cancel_);
    evaluator.add(kept, ciphertexts, sums, pool_, cancel_);
    SecretBytes plaintexts(packed.size());
    PaillierDecryptor(key_).decrypt(sums, plaintexts, pool_, cancel_);
    return {unpack_shares(layout_, view_of(plaintexts)), mask_shares(masks)};
  }

 private:
  const PaillierPrivateKey& key_;
  SlotLayout layout_;
  TestRng& rng_;
  std::vector<std::span<const std::int64_t>> spans_;
  ThreadPool pool_{2};
  CancelToken cancel_;
};

struct Controller {
  std::vector<std::string> identifiers;
  std::vector<std::vector<double>> columns;
};

Pseudonyms pseudonyms_of(const Controller& controller, const JointKey& key) {
  SecretBytes bytes;
  std::vector<std::uint64_t> ends;
  for (const auto& id : controller.identifiers) {
    append_part(bytes, view_of(id));
    ends.push_back(bytes.size());
  }
  ThreadPool pool(1);
  return pseudonymise(key, view_of(bytes), ends, pool, CancelToken());
}

// The table of docs/protocol.md, "Example", with the second controller's attribute and one record of its own.
TEST(Join, TheSourcesExample) {
  TestRng rng(21);
  const Controller a{{"234567", "123456", "345678"}, {{1.2, 4.1, 2.1}, {3.2, 7.2, 4.1}}};
  const Controller b{{"555555", "123456", "234567"}, {{9.9, 2.0, 1.7}}};
  SecretArray<32> half_a, half_b;
  rng.fill(half_a.span());
  rng.fill(half_b.span());
  const JointKey key(half_a, half_b, sha256(view_of("attempt")));
  const Pseudonyms pushed[] = {pseudonyms_of(a, key), pseudonyms_of(b, key)};
  MatchTable table;
  for (int side : {0, 1}) table.append(side, view_of(pushed[side].hashes));
  ASSERT_EQ(table.match(rng), 2u);

  std::vector<std::vector<double>> joined(2);  // per matched record: attributes 1, 2, 3
  for (int side : {0, 1}) {
    const Controller& owner = side == 0 ? a : b;
    Columns columns;
    std::vector<EncodedColumn> encoded;
    for (const auto& values : owner.columns) {
      encoded.push_back(encode_column("attribute", values, false));
      columns.emplace_back(encoded.back().values.begin(), encoded.back().values.end());
    }
    Direction direction(test_key(side == 0 ? "a" : "b"), columns, rng);
    const Bytes kept = direction.keep(direction.encrypt_all(pushed[side].rows), table.rows_by_position(side));
    const Shares shares = direction.share(kept, draw_masks(direction.layout(), 2, rng));
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t c = 0; c < columns.size(); ++c) {
        const Fp x = shares.owner[i * columns.size() + c] + shares.other[i * columns.size() + c];
        joined[i].push_back(std::ldexp(static_cast<double>(encoded[c].scaled_mean), encoded[c].exponent - 36) +
                            std::ldexp(static_cast<double>(x.to_signed()), encoded[c].exponent - 24));
      }
  }
  if (joined[0][0] > joined[1][0]) std::swap(joined[0], joined[1]);
  const double expected[2][3] = {{1.2, 3.2, 1.7}, {4.1, 7.2, 2.0}};
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t c = 0; c < 3; ++c) EXPECT_NEAR(joined[i][c], expected[i][c], 1e-6);
}

// The published shares, in tenths: they sum to the records in the integers and in the field.
TEST(Join, TheSourcesSharesSumInTheField) {
  const std::int64_t one[2][3] = {{877854839, 57894712, -163547265}, {840539066, 67690730, -9645437803}};
  const std::int64_t two[2][3] = {{-877854827, -57894680, 163547282}, {-840539025, -67690658, 9645437823}};
  const std::int64_t sum[2][3] = {{12, 32, 17}, {41, 72, 20}};
  for (int i = 0; i < 2; ++i)
    for (int c = 0; c < 3; ++c) EXPECT_EQ((Fp::from_int(one[i][c]) + Fp::from_int(two[i][c])).to_signed(), sum[i][c]);
}

TEST(Join, ExtremesInEverySlotOfTwoCiphertexts) {
  TestRng rng(22);
  constexpr std::size_t kColumns = 18, kRecords = 4;
  constexpr std::int64_t lowest = -(std::int64_t{1} << 39), highest = (std::int64_t{1} << 39) - 1;
  Columns columns(kColumns, {lowest, highest, 0, -1});
  Direction direction(test_key("a"), columns, rng);
  const std::uint32_t pushed[] = {3, 2, 1, 0}, order[] = {3, 2, 1, 0};  // position k holds record k
  const Bytes kept = direction.keep(direction.encrypt_all(pushed), order);
  for (const Mask mask : {static_cast<Mask>(0), (static_cast<Mask>(1) << 120) - 1}) {
    const Shares shares = direction.share(kept, SecretVector<Mask>(kRecords * kColumns, mask));
    for (std::size_t i = 0; i < kRecords * kColumns; ++i)
      ASSERT_EQ((shares.owner[i] + shares.other[i]).to_signed(), static_cast<i128>(columns[0][i / kColumns])) << i;
  }
}

// Rule F2. The owner sees its shares of two attempts in two secret orders. With the same masks, the difference at a
// position is the difference of two of its own records, which identifies both.
struct Named {
  std::size_t matched = 0, found = 0, wrong = 0;
};

Named attack_two_attempts(std::uint64_t seed) {
  constexpr std::size_t kRecords = 60, kMatched = 24;
  TestRng rng(seed);
  Columns columns(1);
  for (std::size_t i = 0; i < kRecords; ++i)
    columns[0].push_back(static_cast<std::int64_t>(rng.below(std::uint64_t{1} << 32)) - (std::int64_t{1} << 31));
  Direction direction(test_key("a"), columns, rng);
  std::vector<std::uint32_t> rows(kRecords);
  for (std::uint32_t i = 0; i < kRecords; ++i) rows[i] = i;
  const Bytes all = direction.encrypt_all(rows);

  FpVector seen[2];
  for (FpVector& shares : seen) {
    std::vector<std::uint32_t> order(rows.begin(), rows.begin() + kMatched);
    for (std::size_t k = kMatched; k > 1; --k) std::swap(order[k - 1], order[rng.below(k)]);
    shares = direction.share(direction.keep(all, order), draw_masks(direction.layout(), kMatched, rng)).owner;
  }
  std::map<std::int64_t, std::pair<std::size_t, std::size_t>> differences;
  for (std::size_t i = 0; i < kRecords; ++i)
    for (std::size_t j = 0; j < kRecords; ++j)
      if (i != j) differences[columns[0][i] - columns[0][j]] = {i, j};
  std::set<std::size_t> named;
  for (std::size_t k = 0; k < kMatched; ++k) {
    const i128 difference = (seen[0][k] - seen[1][k]).to_signed();
    const auto hit = difference == static_cast<std::int64_t>(difference)
                         ? differences.find(static_cast<std::int64_t>(difference))
                         : differences.end();
    if (hit != differences.end()) named.insert({hit->second.first, hit->second.second});
  }
  Named out{kMatched, 0, 0};
  for (std::size_t record : named) ++(record < kMatched ? out.found : out.wrong);
  return out;
}

TEST(Join, TwoAttemptsNameNoRecord) {
  const Named named = attack_two_attempts(31);
  EXPECT_EQ(named.found, 0u);
  EXPECT_EQ(named.wrong, 0u);
}

TEST(Join, MutantReusedMasksNameTheMatchedRecords) {
  active_mutant = Mutant::join_masks_reused;
  const Named named = attack_two_attempts(31);
  active_mutant = Mutant::none;
  EXPECT_GE(named.found + 2, named.matched) << "all but records that the two orders leave in place";
  EXPECT_EQ(named.wrong, 0u);
}

}  // namespace
}  // namespace pgmpc
