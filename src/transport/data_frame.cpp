// Implements encoding and decoding of data frames.
#include "transport/data_frame.h"

#include <algorithm>

#include "base/channel.h"
#include "base/error.h"

namespace pgmpc {

namespace {
[[noreturn]] void malformed(const char* what) { throw Error(ErrorCode::invalid_text, "malformed data frame", what); }
}  // namespace

Bytes encode_data_frame(const DataHeader& header, ByteView payload) {
  if (payload.size() > kMaxPayload) throw Error(ErrorCode::limit_exceeded, "message is too long");
  Bytes out;
  out.reserve(kDataHeader + payload.size());
  Writer writer(out);
  writer.u8(kDataVersion).raw(header.digest).raw(header.attempt);
  writer.u8(static_cast<std::uint8_t>(header.sender)).u8(static_cast<std::uint8_t>(header.receiver));
  writer.u8(static_cast<std::uint8_t>(header.step)).u8(static_cast<std::uint8_t>(header.kind));
  writer.u64(header.sequence).raw(payload);
  return out;
}

DataFrame decode_data_frame(ByteView bytes) {
  if (bytes.size() > kMaxDataFrame) malformed("too long");
  Reader reader(bytes);
  DataFrame frame;
  if (reader.u8() != kDataVersion) malformed("unknown version");
  std::ranges::copy(reader.raw(32), frame.header.digest.begin());
  std::ranges::copy(reader.raw(16), frame.header.attempt.begin());
  frame.header.sender = reader.u8();
  frame.header.receiver = reader.u8();
  frame.header.step = reader.u8();
  std::uint8_t kind = reader.u8();
  frame.header.sequence = reader.u64();
  if (frame.header.sender >= kParties || frame.header.receiver >= kParties) malformed("unknown party index");
  if (frame.header.sender == frame.header.receiver) malformed("sender and receiver are the same party");
  if (frame.header.step > 8) malformed("unknown step");
  if (kind > static_cast<std::uint8_t>(FrameKind::alive)) malformed("unknown kind");
  frame.header.kind = static_cast<FrameKind>(kind);
  frame.payload = reader.raw(reader.left());
  if (frame.header.kind == FrameKind::data) return frame;
  if (!frame.payload.empty()) malformed("this kind carries no data");
  if (frame.header.sequence >= (frame.header.kind == FrameKind::abort ? std::uint64_t{kParties} : 1))
    malformed("invalid sequence number of this kind");
  return frame;
}

std::string engine_socket_name(const std::string& attempt_hex) { return "pgsql_tmp.engine." + attempt_hex; }

}  // namespace pgmpc
