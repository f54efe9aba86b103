#include "base/bytes.h"

#include "base/error.h"

namespace pgmpc {

std::string to_hex(ByteView bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::uint8_t b : bytes) {
    out.push_back(digits[b >> 4]);
    out.push_back(digits[b & 15]);
  }
  return out;
}

namespace {
int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  throw Error(ErrorCode::invalid_text, "invalid hexadecimal digit");
}

[[noreturn]] void truncated() { throw Error(ErrorCode::invalid_text, "truncated binary data"); }
}  // namespace

Bytes from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) throw Error(ErrorCode::invalid_text, "odd number of hexadecimal digits");
  Bytes out(hex.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
  return out;
}

namespace {
template <typename T>
void put(Bytes& out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

template <typename T>
T get(ByteView& in) {
  if (in.size() < sizeof(T)) truncated();
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | in[i]);
  in = in.subspan(sizeof(T));
  return value;
}
}  // namespace

Writer& Writer::u8(std::uint8_t value) {
  out_.push_back(value);
  return *this;
}
Writer& Writer::u16(std::uint16_t value) {
  put(out_, value);
  return *this;
}
Writer& Writer::u32(std::uint32_t value) {
  put(out_, value);
  return *this;
}
Writer& Writer::u64(std::uint64_t value) {
  put(out_, value);
  return *this;
}
Writer& Writer::raw(ByteView bytes) {
  out_.insert(out_.end(), bytes.begin(), bytes.end());
  return *this;
}
Writer& Writer::sized(ByteView bytes) { return u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes); }

std::uint8_t Reader::u8() {
  if (in_.empty()) truncated();
  std::uint8_t value = in_[0];
  in_ = in_.subspan(1);
  return value;
}
std::uint16_t Reader::u16() { return get<std::uint16_t>(in_); }
std::uint32_t Reader::u32() { return get<std::uint32_t>(in_); }
std::uint64_t Reader::u64() { return get<std::uint64_t>(in_); }

ByteView Reader::raw(std::size_t size) {
  if (in_.size() < size) truncated();
  ByteView out = in_.first(size);
  in_ = in_.subspan(size);
  return out;
}

ByteView Reader::sized(std::size_t max_size) {
  std::uint32_t size = u32();
  if (size > max_size) throw Error(ErrorCode::invalid_text, "length field exceeds its limit");
  return raw(size);
}

void Reader::expect_end() const {
  if (!in_.empty()) throw Error(ErrorCode::invalid_text, "unexpected bytes after the end");
}

}  // namespace pgmpc
