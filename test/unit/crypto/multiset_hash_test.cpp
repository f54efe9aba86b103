// The hash of a multiset of digests (crypto/multiset_hash.h): what changes it and what does not. A sum modulo 2^256, or
// lanes of 16 bits, would give some of the multisets below the same hash.
#include "crypto/multiset_hash.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pgmpc {
namespace {

Hash person(const std::string& name) { return keyed_hash(view_of("key"), view_of(name)); }

struct Pair {
  std::string name;
  double value;
};

// The commitment of a column of these pairs.
Hash column(const std::vector<Pair>& pairs) {
  LaneAdder adder;
  Lanes sum{};
  for (const Pair& pair : pairs) adder.add(sum, digest_of_pair(person(pair.name), pair.value));
  return keyed_hash_of_sum(view_of("key"), "test", {"counterpart", "column"}, pairs.size(), sum);
}

TEST(MultisetHash, OrderDoesNotMatter) {
  EXPECT_EQ(column({{"a", 1}, {"b", 2}, {"c", 3}}), column({{"c", 3}, {"a", 1}, {"b", 2}}));
  EXPECT_EQ(column({{"a", 0.0}}), column({{"a", -0.0}}));
}

TEST(MultisetHash, EveryChangeOfThePairsMatters) {
  const Hash known = column({{"a", 1}, {"b", 2}, {"c", 3}});
  EXPECT_NE(known, column({{"a", 2}, {"b", 1}, {"c", 3}})) << "two values swapped";
  EXPECT_NE(known, column({{"a", 1}, {"b", 2}, {"c", 3}, {"c", 3}})) << "a pair twice";
  EXPECT_NE(known, column({{"a", 1}, {"b", 2}})) << "a value missing";
  EXPECT_NE(known, column({{"a", 1}, {"b", 2}, {"c", 3.0000000000000004}})) << "the last bit of a value";
  EXPECT_NE(known, column({{"a", 1}, {"b", 2}, {"d", 3}})) << "another person";
  EXPECT_NE(column({{"a", 1}, {"a", 1}}), column({{"b", 2}, {"b", 2}}));
}

TEST(MultisetHash, TheSumAloneTellsMultisetsApart) {
  const auto sum_of = [](const std::vector<Hash>& digests) {
    LaneAdder adder;
    Lanes sum{};
    for (const Hash& digest : digests) adder.add(sum, digest);
    return sum;
  };
  // The same sum modulo 2^256: 1 + 2 = 0 + 3, and (2^256 - 1) + 1 = 0 + 0.
  Hash none{}, one{}, two{}, three{}, largest;
  one.back() = 1, two.back() = 2, three.back() = 3;
  largest.fill(0xff);
  EXPECT_NE(sum_of({one, two}), sum_of({none, three}));
  EXPECT_NE(sum_of({largest, one}), sum_of({none, none}));
  EXPECT_EQ(sum_of({one, two}), sum_of({two, one}));
  EXPECT_NE(sum_of({one}), sum_of({one, one}));
}

TEST(MultisetHash, LanesAreApartAndHold32Bits) {
  Lanes sum{}, term{};
  sum[0] = 0xffffffff;
  term[0] = 1;
  add_lanes(sum, term);
  EXPECT_EQ(sum, Lanes{}) << "a carry left its lane";
  // The last lane counts, too: nothing wraps at 256 bits.
  Lanes last{};
  last.back() = 1;
  add_lanes(sum, last);
  EXPECT_EQ(sum, last);
  // 2^16 copies of one digest and of another: equal, and zero, in lanes of 16 bits.
  LaneAdder adder;
  Lanes copies{}, others{};
  const Hash one = digest_of_pair(person("a"), 1), other = digest_of_pair(person("b"), 2);
  for (int i = 0; i < 1 << 16; ++i) adder.add(copies, one), adder.add(others, other);
  EXPECT_NE(copies, Lanes{});
  EXPECT_NE(copies, others);
}

// AES-256 of a block of zeros under a key of zeros (NIST, AESAVS, GFSbox and KeySbox start from it).
TEST(MultisetHash, TheExpansionIsTheKeyStream) {
  LaneAdder adder;
  Lanes sum{};
  adder.add(sum, Hash{});
  Bytes first;
  for (std::size_t i = 0; i < 4; ++i)
    for (int shift = 0; shift < 32; shift += 8) first.push_back(static_cast<std::uint8_t>(sum[i] >> shift));
  EXPECT_EQ(to_hex(first), "dc95c078a2408989ad48a21492842087");
}

TEST(MultisetHash, ThePurposeTheContextAndTheNumberAreHashed) {
  const Lanes sum{};
  const auto key = view_of("key");
  const Hash known = keyed_hash_of_sum(key, "purpose", {"a", "b"}, 1, sum);
  EXPECT_NE(known, keyed_hash_of_sum(view_of("other"), "purpose", {"a", "b"}, 1, sum));
  EXPECT_NE(known, keyed_hash_of_sum(key, "other", {"a", "b"}, 1, sum));
  EXPECT_NE(known, keyed_hash_of_sum(key, "purpose", {"ab", ""}, 1, sum));
  EXPECT_NE(known, keyed_hash_of_sum(key, "purpose", {"a", "b"}, 2, sum));
}

}  // namespace
}  // namespace pgmpc
