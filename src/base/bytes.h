// Byte strings, and the bounded reader and writer that every message, key and file format uses.
//
// Invariants
// Integers are big-endian. A Reader never reads past the end of its view: it throws Error(invalid_text). Lengths are
// checked before memory is allocated.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgmpc {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView view_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string to_hex(ByteView bytes);
// Digits may be in lower or upper case. Throws Error(invalid_text) for an odd length or another character.
Bytes from_hex(std::string_view hex);

// Appends big-endian integers and length-prefixed strings to `out`, which it does not own.
class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}
  Writer& u8(std::uint8_t value);
  Writer& u16(std::uint16_t value);
  Writer& u32(std::uint32_t value);
  Writer& u64(std::uint64_t value);
  Writer& raw(ByteView bytes);
  Writer& sized(ByteView bytes);  // u32 length, then the bytes

 private:
  Bytes& out_;
};

class Reader {
 public:
  explicit Reader(ByteView in) : in_(in) {}
  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::uint64_t u64();
  ByteView raw(std::size_t size);
  ByteView sized(std::size_t max_size);  // u32 length <= max_size, then the bytes
  std::size_t left() const { return in_.size(); }
  void expect_end() const;  // throws Error(invalid_text) when bytes are left over

 private:
  ByteView in_;
};

}  // namespace pgmpc
