// Structural labels of everything that is drawn from pairwise keys (rule F1).
//
// Terms
// purpose: what the randomness is for.
// gate label: where in the computation it is used (phase, iteration, gate).
// scope: which of several computations it belongs to.
// coordinate: the position inside the vector of that gate.
//
// Invariants
// (sid, purpose, sender, receiver) selects a subkey; (phase, iteration, gate, part, scope, coordinate) is the 16-byte
// AES input block, one block per field element. Two different positions never share a block, and nothing depends on the
// order in which gates run.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace pgmpc {

enum class Purpose : std::uint8_t {
  input = 1,      // the third party's share of an input
  mask = 2,       // R1, R2 of a masked opening
  zero = 3,       // sharing of zero
  reshare = 4,    // the other evaluator's share in a reshare
  key_share = 5,  // e1's half of the constants that a dealer shares beside its keys
  table = 6       // e1's half of the bits of truth tables
};

struct GateLabel {
  std::uint16_t phase = 0;
  std::uint32_t iteration = 0;
  std::uint16_t gate = 0;
  std::uint16_t scope = 0;  // computations that run side by side, such as the analyses of a study, have one each
  bool operator==(const GateLabel&) const = default;
  auto operator<=>(const GateLabel&) const = default;
};

using LabelBlock = std::array<std::uint8_t, 16>;

// A block is phase 2 | iteration 4 | gate 2 | part 2 | scope 2 | coordinate 4 bytes, big-endian. part distinguishes
// several vectors of one gate and purpose; it is 0 where there is one.
inline void set_coordinate(std::uint8_t* block, std::uint32_t coordinate) {
  const std::uint32_t swapped = std::endian::native == std::endian::little ? __builtin_bswap32(coordinate) : coordinate;
  std::memcpy(block + 12, &swapped, sizeof swapped);
}

inline LabelBlock label_block(const GateLabel& label, std::uint16_t part, std::uint32_t coordinate) {
  LabelBlock b{};
  b[0] = static_cast<std::uint8_t>(label.phase >> 8);
  b[1] = static_cast<std::uint8_t>(label.phase);
  for (int i = 0; i < 4; ++i) b[2 + i] = static_cast<std::uint8_t>(label.iteration >> (24 - 8 * i));
  b[6] = static_cast<std::uint8_t>(label.gate >> 8);
  b[7] = static_cast<std::uint8_t>(label.gate);
  b[8] = static_cast<std::uint8_t>(part >> 8);
  b[9] = static_cast<std::uint8_t>(part);
  b[10] = static_cast<std::uint8_t>(label.scope >> 8);
  b[11] = static_cast<std::uint8_t>(label.scope);
  set_coordinate(b.data(), coordinate);
  return b;
}

}  // namespace pgmpc
