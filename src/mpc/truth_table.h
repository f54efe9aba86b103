// One-time truth tables: 1{x < alpha} xor flip from bits that the dealer shares.
// Only the dealer knows alpha, and only the two evaluators know x (docs/protocol.md, step 8).
//
// Terms
// chunk: 5 bits of x, chunk 0 the lowest.
// tables of a chunk: LT(v) = 1{v < alpha's chunk} and EQ(v) = 1{v = alpha's chunk} for all 32 v.
// mask bits: mu and nu hide what is looked up in EQ and LT, rho hides the result.
// group: neighbouring inputs of a level that become one: LT = xor_i LT_i prod_{j>i} EQ_j, EQ = prod EQ_j. The products
// are expanded over masked bits, so the dealer shares the products of the mask bits of each group.
//
// Invariants
// Every bit that the dealer shares is split by xor: the first evaluator's half is pseudorandom, the second one's is
// sent.
//
// Security
// Every looked-up bit is masked by a bit of its own before the other evaluator sees it, so one table may be read at
// several points. The dealer reads and writes all entries in the same way. An evaluator's addresses depend only on x
// and on masked bits, which both evaluators know.
//
// Source
// Ishai, Kushilevitz, Meldgaard, Orlandi, Paskin-Cherniavsky, TCC 2013.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/secret.h"
#include "sharing/field.h"

namespace pgmpc {

inline constexpr int kChunkBits = 5;

// The order of the bits of one gate: the tables, then for each point the products of its groups and flip xor rho.
class TableShape {
 public:
  struct Group {
    int first, count;   // inputs of its level
    bool equal;         // whether EQ of the group, and so of its lowest input, is needed
    std::size_t begin;  // where its products start among the bits of a point
    int equals() const { return count - (equal ? 0 : 1); }
    std::size_t lookups() const { return static_cast<std::size_t>(count + equals()); }
    // The products of every set of mu (without the empty one), then of every nu with every set of mu above it.
    std::size_t products() const { return (std::size_t{1} << equals()) - 1 + (std::size_t{1} << count) - 1; }
    std::size_t nu_products(int i) const;  // where those of nu_i start
  };

  TableShape(int domain, int points);
  int points() const { return points_; }
  int chunks() const { return static_cast<int>(tables_.size()); }
  int chunk_bits(int chunk) const { return chunk + 1 < chunks() ? kChunkBits : domain_ - kChunkBits * (chunks() - 1); }
  // Where LT of the chunk starts. Its EQ follows, except for chunk 0, which needs none.
  std::size_t table_at(int chunk) const { return tables_[static_cast<std::size_t>(chunk)]; }
  std::size_t point_at(int point) const { return table_bits_ + static_cast<std::size_t>(point) * point_bits_; }
  std::size_t flip_at(int point) const { return point_at(point) + point_bits_ - 1; }
  const std::vector<std::vector<Group>>& levels() const { return levels_; }

  std::size_t bits() const { return point_at(points_); }
  std::size_t gate_bytes() const { return (bits() + 7) / 8; }
  std::size_t mask_bits() const;  // mu, nu and rho of a gate
  // The number of messages between the evaluators: one for each level and one for the masked results.
  std::size_t rounds() const { return levels_.size() + 1; }
  std::size_t message_bits(std::size_t round) const;  // of one gate
  std::size_t message_bytes(std::size_t round) const { return (message_bits(round) + 7) / 8; }

 private:
  void add_level(int inputs, int most);
  int domain_, points_;
  std::vector<std::size_t> tables_;
  std::vector<std::vector<Group>> levels_;
  std::size_t table_bits_ = 0, point_bits_ = 0;
};

// Called at the dealer: packs the bits of one gate into out (gate_bytes). masks: mask_bits() random bits, one per byte;
// the rho of the points are the last ones.
void write_tables(const TableShape& shape, u128 alpha, unsigned flip, std::span<const std::uint8_t> masks,
                  std::span<std::uint8_t> out);

// Reads the tables of a batch of gates at an evaluator. For each round of the shape, masked() is sent to the other
// evaluator, and take() gets what the other one sent.
class TableReader {
 public:
  // evaluator: 0 or 1. halves: gate_bytes() for each gate. xs[gate * points + point] < 2^domain. Throws
  // Error(protocol_violation) for halves of the wrong size, as take() does for its message.
  TableReader(const TableShape& shape, int evaluator, ByteView halves, std::span<const u128> xs);
  Bytes masked();
  void take(ByteView other);
  std::size_t message_bytes() const { return gates_ * shape_.message_bytes(round_); }
  // After the last round: (1{x < alpha} xor flip) xor rho, which both evaluators know.
  unsigned revealed(std::size_t gate, int point) const;

 private:
  std::uint8_t half(std::size_t gate, std::size_t bit) const { return halves_[gate * shape_.bits() + bit]; }
  void look_up(std::span<const u128> xs);
  void combine();

  const TableShape shape_;
  const int evaluator_;
  const std::size_t gates_;
  SecretBytes halves_;        // one bit per byte
  SecretBytes less_, equal_;  // halves of the inputs of the level, [(gate * points + point) * inputs + input]
  std::size_t inputs_ = 0, round_ = 0;
  Bytes opened_;  // masked bits of the round, of both evaluators together
};

}  // namespace pgmpc
