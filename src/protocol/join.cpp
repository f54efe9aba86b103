// Implements the messages of steps 4 to 7.
#include "protocol/join.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"

namespace pgmpc {

namespace {

[[noreturn]] void violation(const char* what) {
  throw Error(ErrorCode::protocol_violation, "a peer sent a message that the protocol does not allow here", what);
}
}  // namespace

Bytes encode_record_count(std::uint64_t records) {
  Bytes out;
  Writer(out).u64(records);
  return out;
}

std::uint64_t decode_record_count(ByteView message) {
  Reader in(message);
  const std::uint64_t records = in.u64();
  in.expect_end();
  if (records == 0 || records > kMostRecords) violation("number of records out of range");
  return records;
}

Bytes encode_announcement(const Announcement& announcement) {
  Bytes out;
  const bool refused = announcement.refused || announcement.too_many;
  Writer(out).u8(announcement.too_many ? 2 : refused ? 1 : 0).u64(refused ? 0 : announcement.matched);
  return out;
}

Announcement decode_announcement(ByteView message) {
  Reader in(message);
  const std::uint8_t kind = in.u8();
  const std::uint64_t matched = in.u64();
  in.expect_end();
  if (kind > 2 || matched > kMostRecords || (kind == 0) != (matched != 0)) violation("match announcement");
  return {kind == 1, kind == 2, matched};
}

Bytes encode_descriptions(const std::vector<ColumnDescription>& columns) {
  Bytes out;
  Writer writer(out);
  for (const ColumnDescription& column : columns)
    writer.u16(static_cast<std::uint16_t>(column.exponent + kMaxExponent)).u8(column.binary ? 1 : 0);
  return out;
}

std::vector<ColumnDescription> decode_descriptions(ByteView message, std::size_t expected) {
  Reader in(message);
  std::vector<ColumnDescription> out;
  for (std::size_t i = 0; i < expected; ++i) {
    const int exponent = in.u16() - kMaxExponent;
    const std::uint8_t binary = in.u8();
    if (exponent < -kMaxExponent || exponent > kMaxExponent || binary > 1) violation("column description");
    out.push_back({exponent, binary == 1});
  }
  in.expect_end();
  return out;
}

std::size_t records_per_block(std::size_t record_bytes) { return std::max<std::size_t>(1, kBlockBytes / record_bytes); }

}  // namespace pgmpc
