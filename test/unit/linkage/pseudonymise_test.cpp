// The joint key and the pseudonyms of step 2: both controllers get the same bytes, order and duplicates.
#include "linkage/pseudonymise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "linkage/identifiers.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

const Hash kSid = sha256(view_of("an attempt"));

SecretArray<32> half(std::uint8_t fill, std::uint8_t first, std::uint8_t last) {
  SecretArray<32> out;
  std::memset(out.data(), fill, 32);
  out.data()[0] = first;
  out.data()[31] = last;
  return out;
}

struct Identifiers {
  SecretBytes bytes;
  std::vector<std::uint64_t> ends;
  void add(std::string_view part) {
    append_part(bytes, view_of(part));
    ends.push_back(bytes.size());
  }
};

class Pseudonymise : public ::testing::Test {
 protected:
  ThreadPool pool_{2};
  CancelToken cancel_;
  Pseudonyms run(const JointKey& key, const Identifiers& ids) {
    return pseudonymise(key, view_of(ids.bytes), ids.ends, pool_, cancel_);
  }
};

// Both orders of addition, sums with leading zero bytes, and a carry out of the top give 32 bytes that agree.
TEST_F(Pseudonymise, JointKeyIsHkdfOfAFixedSizeSum) {
  const auto check = [](const SecretArray<32>& a, const SecretArray<32>& b, const std::string& sum_hex) {
    const JointKey ab(a, b, kSid), ba(b, a, kSid);
    const SecretBytes expected = hkdf(from_hex(sum_hex), kSid, "pg_mpc join v1", 32);
    EXPECT_TRUE(equal_constant_time(ab.view(), view_of(expected)));
    EXPECT_EQ(ab.check_value(), ba.check_value());
  };
  const std::string zeros(60, '0');
  check(half(0, 0, 1), half(0, 0, 2), "00" + zeros + "03");
  check(half(0xff, 0xff, 0xff), half(0, 0, 1), "00" + zeros + "00");  // 2^256 wraps to 0
  check(half(0xff, 0xff, 0xff), half(0xff, 0xff, 0xff), std::string(62, 'f') + "fe");
  check(half(0, 0x80, 5), half(0, 0x80, 6), "00" + zeros + "0b");
}

TEST_F(Pseudonymise, CheckValueTellsKeysApart) {
  const JointKey key(half(1, 2, 3), half(4, 5, 6), kSid), flipped(half(1, 2, 2), half(4, 5, 6), kSid);
  EXPECT_NE(key.check_value(), flipped.check_value());
  Hash other = kSid;
  other[31] ^= 1;
  EXPECT_NE(key.check_value(), JointKey(half(1, 2, 3), half(4, 5, 6), other).check_value()) << "bound to the attempt";
}

TEST_F(Pseudonymise, HashesAreTheKeyedHashOfTagAndParts) {
  const JointKey key(half(1, 2, 3), half(4, 5, 6), kSid);
  Identifiers ids;
  ids.add("234567");
  const Pseudonyms one = run(key, ids);
  const Hash expected = keyed_hash(key.view(), from_hex("0000000474657874"
                                                        "00000006"
                                                        "323334353637"));
  EXPECT_TRUE(equal_constant_time(view_of(one.hashes), expected));
}

TEST_F(Pseudonymise, AscendingAndRowsPointBack) {
  const JointKey key(half(1, 2, 3), half(4, 5, 6), kSid);
  Identifiers ids, other;
  for (int i = 0; i < 5000; ++i) ids.add("id" + std::to_string(i));
  const Pseudonyms all = run(key, ids);
  EXPECT_EQ(all.duplicates, 0u);
  std::set<std::uint32_t> rows(all.rows.begin(), all.rows.end());
  EXPECT_EQ(rows.size(), 5000u);
  for (std::size_t i = 1; i < 5000; ++i)
    ASSERT_LT(std::memcmp(all.hashes.data() + 32 * (i - 1), all.hashes.data() + 32 * i, 32), 0);
  for (std::size_t i = 0; i < 5000; i += 611) {
    Identifiers single;
    single.add("id" + std::to_string(all.rows[i]));
    const Pseudonyms one = run(key, single);
    EXPECT_EQ(std::memcmp(one.hashes.data(), all.hashes.data() + 32 * i, 32), 0);
  }
}

TEST_F(Pseudonymise, CountsDuplicates) {
  TestRng rng(5);
  Identifiers ids;
  for (const char* id : {"a", "b", "a", "c", "a", "b", ""}) ids.add(id);
  EXPECT_EQ(count_duplicates(view_of(ids.bytes), ids.ends, rng, pool_, cancel_), 3u);
  const Identifiers none;
  EXPECT_EQ(count_duplicates(view_of(none.bytes), none.ends, rng, pool_, cancel_), 0u);
}

TEST_F(Pseudonymise, BrokenBoundsAreRefused) {
  const JointKey key(half(1, 2, 3), half(4, 5, 6), kSid);
  Identifiers ids;
  ids.add("a");
  ids.ends.push_back(ids.bytes.size() + 1);
  EXPECT_THROW(run(key, ids), Error);
  ids.ends.back() = 0;
  EXPECT_THROW(run(key, ids), Error);
}

}  // namespace
}  // namespace pgmpc
