#include "mpc/truth_table.h"

#include <algorithm>

#include "base/error.h"
#include "base/mutants.h"

namespace pgmpc {

namespace {
constexpr int kMostInputs = 9;   // of a group that is alone on its level; its products grow as 2^inputs
constexpr int kGroupInputs = 4;  // of a group among others

unsigned bit_at(ByteView packed, std::size_t i) { return packed[i / 8] >> (i % 8) & 1u; }
void put_bit(std::span<std::uint8_t> packed, std::size_t i, unsigned bit) {
  packed[i / 8] = static_cast<std::uint8_t>(packed[i / 8] | (bit & 1u) << (i % 8));
}
unsigned chunk_of(u128 x, int chunk, int bits) {
  return static_cast<unsigned>(x >> (kChunkBits * chunk)) & ((1u << bits) - 1);
}
// For values below 2^31, without a branch.
unsigned is_less(unsigned a, unsigned b) { return (a - b) >> 31; }
unsigned is_equal(unsigned a, unsigned b) { return ((a ^ b) - 1u) >> 31; }
}  // namespace

std::size_t TableShape::Group::nu_products(int i) const {
  std::size_t at = (std::size_t{1} << equals()) - 1;
  for (int k = 0; k < i; ++k) at += std::size_t{1} << (count - 1 - k);
  return at;
}

TableShape::TableShape(int domain, int points) : domain_(domain), points_(points) {
  if (domain < 1 || domain > 126) throw Error(ErrorCode::internal, "a comparison has an invalid width");
  const int chunks = (domain + kChunkBits - 1) / kChunkBits;
  tables_.resize(static_cast<std::size_t>(chunks));
  for (int chunk = 0; chunk < chunks; ++chunk) {
    tables_[static_cast<std::size_t>(chunk)] = table_bits_;
    table_bits_ += (chunk == 0 ? std::size_t{1} : std::size_t{2}) << chunk_bits(chunk);
  }
  int inputs = chunks;
  for (; inputs > kMostInputs; inputs = static_cast<int>(levels_.back().size())) add_level(inputs, kGroupInputs);
  add_level(inputs, kMostInputs);
  ++point_bits_;  // flip xor rho
}

void TableShape::add_level(int inputs, int most) {
  const int groups = (inputs + most - 1) / most;
  std::vector<Group> level;
  for (int g = 0, first = 0; g < groups; ++g) {
    const int count = inputs / groups + (g < inputs % groups ? 1 : 0);
    level.push_back({first, count, g > 0, point_bits_});
    point_bits_ += level.back().products();
    first += count;
  }
  levels_.push_back(std::move(level));
}

std::size_t TableShape::message_bits(std::size_t round) const {
  if (round == levels_.size()) return static_cast<std::size_t>(points_);
  std::size_t lookups = 0;
  for (const Group& group : levels_[round]) lookups += group.lookups();
  return lookups * static_cast<std::size_t>(points_);
}

std::size_t TableShape::mask_bits() const {
  std::size_t all = 0;
  for (std::size_t round = 0; round < rounds(); ++round) all += message_bits(round);
  return all;
}

void write_tables(const TableShape& shape, u128 alpha, unsigned flip, std::span<const std::uint8_t> masks,
                  std::span<std::uint8_t> out) {
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  std::size_t at = 0;
  for (int chunk = 0; chunk < shape.chunks(); ++chunk) {
    const int bits = shape.chunk_bits(chunk);
    const unsigned own = chunk_of(alpha, chunk, bits);
    for (unsigned v = 0; v < 1u << bits; ++v) put_bit(out, at++, is_less(v, own));
    for (unsigned v = 0; chunk > 0 && v < 1u << bits; ++v) put_bit(out, at++, is_equal(v, own));
  }
  std::size_t next = 0;  // the next mask bit
  const std::size_t rhos = masks.size() - static_cast<std::size_t>(shape.points());
  SecretBytes product(std::size_t{1} << kMostInputs);  // product of the set of mu that the index denotes
  for (int point = 0; point < shape.points(); ++point) {
    for (const auto& level : shape.levels())
      for (const TableShape::Group& group : level) {
        product[0] = 1;
        for (int j = 0; j < group.equals(); ++j) {
          const std::uint8_t mu = masks[next++];
          for (std::size_t set = 0; set < std::size_t{1} << j; ++set)
            product[set | std::size_t{1} << j] = product[set] & mu;
        }
        for (std::size_t set = 1; set < std::size_t{1} << group.equals(); ++set) put_bit(out, at++, product[set]);
        const int lowest = group.equal ? 0 : 1;  // the input that mu number 0 belongs to
        for (int i = 0; i < group.count; ++i) {
          const std::uint8_t nu = masks[next++];
          for (std::size_t set = 0; set < std::size_t{1} << (group.count - 1 - i); ++set)
            put_bit(out, at++, nu & product[set << (i + 1 - lowest)]);
        }
      }
    put_bit(out, at++, flip ^ masks[rhos + static_cast<std::size_t>(point)]);
  }
}

TableReader::TableReader(const TableShape& shape, int evaluator, ByteView halves, std::span<const u128> xs)
    : shape_(shape), evaluator_(evaluator), gates_(xs.size() / static_cast<std::size_t>(shape.points())) {
  if (halves.size() != gates_ * shape_.gate_bytes())
    throw Error(ErrorCode::protocol_violation, "truth tables have the wrong size");
  halves_.resize(gates_ * shape_.bits());
  for (std::size_t gate = 0; gate < gates_; ++gate)
    for (std::size_t i = 0; i < shape_.bits(); ++i)
      halves_[gate * shape_.bits() + i] =
          static_cast<std::uint8_t>(bit_at(halves.subspan(gate * shape_.gate_bytes()), i));
  look_up(xs);
}

void TableReader::look_up(std::span<const u128> xs) {
  inputs_ = static_cast<std::size_t>(shape_.chunks());
  less_.resize(xs.size() * inputs_);
  equal_.resize(xs.size() * inputs_);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const std::size_t gate = i / static_cast<std::size_t>(shape_.points());
    for (int chunk = 0; chunk < shape_.chunks(); ++chunk) {
      const int bits = shape_.chunk_bits(chunk);
      const std::size_t v = chunk_of(xs[i], chunk, bits), at = i * inputs_ + static_cast<std::size_t>(chunk);
      less_[at] = half(gate, shape_.table_at(chunk) + v);
      if (chunk > 0) equal_[at] = half(gate, shape_.table_at(chunk) + (std::size_t{1} << bits) + v);
    }
  }
}

Bytes TableReader::masked() {
  const std::size_t per_gate = shape_.message_bytes(round_), points = static_cast<std::size_t>(shape_.points());
  opened_.assign(gates_ * per_gate, 0);
  for (std::size_t i = 0; i < gates_ * points; ++i) {
    const std::size_t gate = i / points;
    const int point = static_cast<int>(i % points);
    const std::span<std::uint8_t> out = std::span(opened_).subspan(gate * per_gate, per_gate);
    std::size_t at = i % points * (shape_.message_bits(round_) / points);
    if (round_ == shape_.levels().size()) {
      put_bit(out, at, less_[i] ^ half(gate, shape_.flip_at(point)));
      continue;
    }
    for (const TableShape::Group& group : shape_.levels()[round_]) {
      const std::size_t base = shape_.point_at(point) + group.begin,
                        input = i * inputs_ + static_cast<std::size_t>(group.first);
      const int lowest = group.equal ? 0 : 1;
      for (int j = 0; j < group.equals(); ++j)
        put_bit(out, at++,
                equal_[input + static_cast<std::size_t>(j + lowest)] ^ half(gate, base + (std::size_t{1} << j) - 1));
      for (int k = 0; k < group.count; ++k)
        put_bit(out, at++, less_[input + static_cast<std::size_t>(k)] ^ half(gate, base + group.nu_products(k)));
    }
  }
  return opened_;
}

void TableReader::take(ByteView other) {
  if (other.size() != opened_.size())
    throw Error(ErrorCode::protocol_violation, "masked bits of a comparison have the wrong size");
  for (std::size_t i = 0; i < other.size(); ++i) opened_[i] ^= other[i];
  if (round_++ < shape_.levels().size()) combine();
}

// Both evaluators know the masked bits. A product of (masked bit xor mask bit) is the xor of the products of mask bits
// over all sets that contain every factor whose masked bit is 0.
void TableReader::combine() {
  const auto& level = shape_.levels()[round_ - 1];
  const std::size_t points = static_cast<std::size_t>(shape_.points()), groups = level.size();
  const std::size_t per_gate = shape_.message_bytes(round_ - 1), per_point = shape_.message_bits(round_ - 1) / points;
  SecretBytes less(gates_ * points * groups), equal(gates_ * points * groups);
  for (std::size_t i = 0; i < gates_ * points; ++i) {
    const std::size_t gate = i / points;
    const ByteView in = ByteView(opened_).subspan(gate * per_gate, per_gate);
    std::size_t at = i % points * per_point;
    for (std::size_t g = 0; g < groups; ++g) {
      const TableShape::Group& group = level[g];
      const std::size_t base = shape_.point_at(static_cast<int>(i % points)) + group.begin;
      const int lowest = group.equal ? 0 : 1;
      // This party's half of the product of a set of mu. The product of the empty set is 1.
      const auto product = [&](std::size_t set) -> std::uint8_t {
        return set == 0 ? evaluator_ == 0 : half(gate, base + set - 1);
      };
      std::size_t zeros = 0;  // the mu whose masked bit is 0
      for (int j = 0; j < group.equals(); ++j) zeros |= (bit_at(in, at++) ^ std::size_t{1}) << j;
      std::uint8_t lt = 0, eq = 0;
      for (int k = 0; k < group.count; ++k) {
        const auto masked = static_cast<std::uint8_t>(bit_at(in, at++));
        const int skip = k + 1 - lowest;
        const std::size_t needed = zeros >> skip, nu = base + group.nu_products(k);
        for (std::size_t set = 0; set < std::size_t{1} << (group.count - 1 - k); ++set)
          if ((set & needed) == needed)
            lt ^= static_cast<std::uint8_t>((masked & product(set << skip)) ^ half(gate, nu + set));
      }
      for (std::size_t set = 0; group.equal && set < std::size_t{1} << group.equals(); ++set)
        if ((set & zeros) == zeros) eq ^= product(set);
      less[i * groups + g] = lt;
      equal[i * groups + g] = eq;
    }
  }
  less_ = std::move(less);
  equal_ = std::move(equal);
  inputs_ = groups;
}

unsigned TableReader::revealed(std::size_t gate, int point) const {
  const std::size_t per_gate = shape_.message_bytes(shape_.levels().size());
  return bit_at(ByteView(opened_).subspan(gate * per_gate, per_gate), static_cast<std::size_t>(point));
}

}  // namespace pgmpc
