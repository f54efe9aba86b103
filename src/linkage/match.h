// Step 4 at the third party: finds equal hashed identifiers and draws the secret order of the matched records.
//
// Terms
// row: the index of a hash in the order in which its controller pushed it.
// position: the index of a matched record in the one secret order that masks, sums and shares follow, for both
// controllers (rule F20).
//
// Invariants
// Each side's hashes are strictly ascending: a duplicate or another order is an Error(protocol_violation). The order is
// uniform over all matched records. match() destroys the hashes. What this class holds never leaves the third party.
#pragma once
#include <array>
#include <cstdint>

#include "base/rng.h"
#include "base/secret.h"

namespace pgmpc {

class MatchTable {
 public:
  static constexpr std::uint32_t kUnmatched = 0xffffffff;

  // Appends a block of 32-byte hashes of controller `side` (0 or 1). Throws Error(limit_exceeded) at 2^32 - 1 rows.
  void append(int side, ByteView hashes);
  std::size_t rows(int side) const;

  // Matches both sides; called once, after all blocks. Returns the number of matched records.
  std::size_t match(Rng& rng);
  std::size_t matched() const { return matched_; }
  // The row of controller `side` at each position; matched() entries.
  const SecretVector<std::uint32_t>& rows_by_position(int side) const;
  // The position of each row of controller `side`, or kUnmatched.
  const SecretVector<std::uint32_t>& positions_by_row(int side) const;
  void wipe() noexcept;

 private:
  struct Side {
    SecretBytes hashes;
    std::size_t rows = 0;
    SecretVector<std::uint32_t> rows_by_position, positions_by_row;
  };
  void pair_up();
  void shuffle(Rng& rng);

  std::array<Side, 2> sides_;
  std::size_t matched_ = 0;
  bool done_ = false;
};

}  // namespace pgmpc
