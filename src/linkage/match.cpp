// Implements linkage/match.h: a merge of two ascending lists, then a Fisher-Yates shuffle with unbiased integers.
#include "linkage/match.h"

#include <cstring>
#include <utility>

#include "base/error.h"

namespace pgmpc {

namespace {

constexpr std::size_t kHash = 32;

int compare(const SecretBytes& a, std::size_t i, const SecretBytes& b, std::size_t j) {
  return std::memcmp(a.data() + i * kHash, b.data() + j * kHash, kHash);
}

}  // namespace

void MatchTable::append(int side, ByteView hashes) {
  Side& s = sides_.at(static_cast<std::size_t>(side));
  if (done_) throw Error(ErrorCode::internal, "hashes arrived after the match");
  if (hashes.size() % kHash != 0) throw Error(ErrorCode::protocol_violation, "a block of hashes has an invalid size");
  if (s.rows + hashes.size() / kHash >= kUnmatched)
    throw Error(ErrorCode::limit_exceeded, "a controller pushed too many records");
  const std::size_t first = s.rows;
  s.hashes.insert(s.hashes.end(), hashes.begin(), hashes.end());
  s.rows += hashes.size() / kHash;
  for (std::size_t i = first == 0 ? 1 : first; i < s.rows; ++i)
    if (compare(s.hashes, i - 1, s.hashes, i) >= 0)
      throw Error(ErrorCode::protocol_violation, "a controller pushed hashes that are not in strictly ascending order");
}

std::size_t MatchTable::rows(int side) const { return sides_.at(static_cast<std::size_t>(side)).rows; }

std::size_t MatchTable::match(Rng& rng) {
  if (done_) throw Error(ErrorCode::internal, "the match has already been made");
  done_ = true;
  pair_up();
  for (Side& s : sides_) s.hashes.wipe();
  shuffle(rng);
  for (Side& s : sides_) {
    s.positions_by_row.assign(s.rows, kUnmatched);
    for (std::size_t k = 0; k < matched_; ++k)
      s.positions_by_row[s.rows_by_position[k]] = static_cast<std::uint32_t>(k);
  }
  return matched_;
}

void MatchTable::pair_up() {
  auto& [a, b] = sides_;
  for (std::size_t i = 0, j = 0; i < a.rows && j < b.rows;) {
    const int order = compare(a.hashes, i, b.hashes, j);
    if (order == 0) {
      a.rows_by_position.push_back(static_cast<std::uint32_t>(i));
      b.rows_by_position.push_back(static_cast<std::uint32_t>(j));
    }
    i += order <= 0 ? 1 : 0;
    j += order >= 0 ? 1 : 0;
  }
  matched_ = a.rows_by_position.size();
}

// Both sides get the same order, so pairs stay together.
void MatchTable::shuffle(Rng& rng) {
  auto& [a, b] = sides_;
  for (std::size_t k = matched_; k > 1; --k) {
    const std::size_t other = rng.below(k);
    std::swap(a.rows_by_position[k - 1], a.rows_by_position[other]);
    std::swap(b.rows_by_position[k - 1], b.rows_by_position[other]);
  }
}

const SecretVector<std::uint32_t>& MatchTable::rows_by_position(int side) const {
  return sides_.at(static_cast<std::size_t>(side)).rows_by_position;
}

const SecretVector<std::uint32_t>& MatchTable::positions_by_row(int side) const {
  return sides_.at(static_cast<std::size_t>(side)).positions_by_row;
}

void MatchTable::wipe() noexcept {
  for (Side& s : sides_) {
    s.hashes.wipe();
    s.rows_by_position.wipe();
    s.positions_by_row.wipe();
  }
}

}  // namespace pgmpc
