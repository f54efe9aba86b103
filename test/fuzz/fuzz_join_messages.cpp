// Fuzzes the small messages of steps 4 and 7: record count, announcement and column descriptions; the first byte
// selects one. What the decoder accepts is reproduced byte for byte by the encoder.
#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "protocol/join.h"

namespace {
using namespace pgmpc;

Bytes again(unsigned kind, ByteView bytes) {
  if (kind == 0) return encode_record_count(decode_record_count(bytes));
  if (kind == 1) return encode_announcement(decode_announcement(bytes));
  return encode_descriptions(decode_descriptions(bytes, bytes.size() / 3));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  try {
    if (!std::ranges::equal(again(data[0] % 3, bytes), bytes)) std::abort();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::protocol_violation && error.code() != ErrorCode::invalid_text) std::abort();
  }
  return 0;
}
