// The third party's match: the pairs, the one secret order, its uniformity, and what it refuses.
#include "linkage/match.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <vector>

#include "base/error.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

Bytes hashes_of(const std::vector<int>& ids) {
  Bytes out;
  for (int id : ids) {
    Bytes hash(32);
    hash[0] = static_cast<std::uint8_t>(id >> 8);
    hash[31] = static_cast<std::uint8_t>(id);
    out.insert(out.end(), hash.begin(), hash.end());
  }
  return out;
}

ErrorCode refusal(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

TEST(Match, FindsThePairsInOneOrder) {
  const std::vector<int> a{1, 3, 5, 7, 300, 900}, b{2, 3, 4, 7, 8, 300, 1000};
  TestRng rng(1);
  MatchTable table;
  table.append(0, hashes_of({1, 3, 5}));  // in blocks
  table.append(1, hashes_of(b));
  table.append(0, hashes_of({7, 300, 900}));
  EXPECT_EQ(table.rows(0), 6u);
  EXPECT_EQ(table.rows(1), 7u);
  ASSERT_EQ(table.match(rng), 3u);
  std::vector<int> found;
  for (std::size_t k = 0; k < 3; ++k) {
    const auto row_a = table.rows_by_position(0)[k], row_b = table.rows_by_position(1)[k];
    EXPECT_EQ(a[row_a], b[row_b]);
    found.push_back(a[row_a]);
    EXPECT_EQ(table.positions_by_row(0)[row_a], k);
    EXPECT_EQ(table.positions_by_row(1)[row_b], k);
  }
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<int>{3, 7, 300}));
  const auto& positions = table.positions_by_row(1);
  EXPECT_EQ(std::count(positions.begin(), positions.end(), MatchTable::kUnmatched), 4);
}

TEST(Match, EdgeSizes) {
  TestRng rng(2);
  MatchTable empty, disjoint, equal;
  EXPECT_EQ(empty.match(rng), 0u);
  disjoint.append(0, hashes_of({1, 2}));
  disjoint.append(1, hashes_of({3}));
  EXPECT_EQ(disjoint.match(rng), 0u);
  equal.append(0, hashes_of({1, 2, 3}));
  equal.append(1, hashes_of({1, 2, 3}));
  EXPECT_EQ(equal.match(rng), 3u);
  EXPECT_THROW(equal.match(rng), Error) << "the order is drawn once";
  EXPECT_THROW(equal.append(0, hashes_of({9})), Error);
}

TEST(Match, RefusesDuplicatesAndOtherOrders) {
  for (const auto& ids : {std::vector<int>{1, 1}, std::vector<int>{2, 1}}) {
    MatchTable table;
    EXPECT_EQ(refusal([&] { table.append(0, hashes_of(ids)); }), ErrorCode::protocol_violation);
  }
  MatchTable blocks;
  blocks.append(1, hashes_of({5}));
  EXPECT_EQ(refusal([&] { blocks.append(1, hashes_of({5})); }), ErrorCode::protocol_violation);
  MatchTable size;
  EXPECT_EQ(refusal([&] { size.append(0, Bytes(33)); }), ErrorCode::protocol_violation);
}

// All 24 orders of four matched records, 24000 draws: chi-square with 23 degrees of freedom stays below 60 (p = 4e-5).
TEST(Match, OrderIsUniform) {
  TestRng rng(3);
  std::map<std::vector<std::uint32_t>, int> counts;
  const Bytes hashes = hashes_of({1, 2, 3, 4});
  constexpr int draws = 24000;
  for (int i = 0; i < draws; ++i) {
    MatchTable table;
    table.append(0, hashes);
    table.append(1, hashes);
    table.match(rng);
    const auto& rows = table.rows_by_position(0);
    ++counts[{rows.begin(), rows.end()}];
  }
  ASSERT_EQ(counts.size(), 24u);
  double chi_square = 0;
  for (const auto& [order, count] : counts)
    chi_square += (count - draws / 24.0) * (count - draws / 24.0) / (draws / 24.0);
  EXPECT_LT(chi_square, 60);
}

// The first record may land anywhere among all matched records (a shuffle inside blocks would fail).
TEST(Match, FirstRecordLandsAnywhere) {
  TestRng rng(4);
  std::vector<int> ids(100);
  for (int i = 0; i < 100; ++i) ids[static_cast<std::size_t>(i)] = i;
  const Bytes hashes = hashes_of(ids);
  std::array<int, 100> counts{};
  for (int i = 0; i < 10000; ++i) {
    MatchTable table;
    table.append(0, hashes);
    table.append(1, hashes);
    table.match(rng);
    ++counts[table.positions_by_row(0)[0]];
  }
  double chi_square = 0;
  for (int count : counts) chi_square += (count - 100.0) * (count - 100.0) / 100.0;
  EXPECT_LT(chi_square, 170);  // 99 degrees of freedom: p = 1e-5
}

}  // namespace
}  // namespace pgmpc
