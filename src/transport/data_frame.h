// Encodes the frame of one data message between two engines, the body of POST /v1/data/<attempt>.
//
// Terms
// data: the next message of its direction; numbered 0, 1, 2, ... per (attempt, sender, receiver).
// abort: the sender leaves the attempt; carries the index of the party that left first instead of a number.
// alive: the sender's engine runs, though it may send no data for long; number 0.
// Only data has a payload.
//
// Invariants
// The header has kDataHeader bytes and begins with the version. Decoding is bounded and rejects everything that
// encoding cannot produce, so that encode(decode(x)) == x.
#pragma once
#include <array>
#include <string>

#include "base/bytes.h"

namespace pgmpc {

using AttemptId = std::array<std::uint8_t, 16>;
using StudyDigest = std::array<std::uint8_t, 32>;

inline constexpr std::uint8_t kDataVersion = 1;
inline constexpr std::size_t kDataHeader = 1 + 32 + 16 + 4 + 8;
inline constexpr std::size_t kMaxPayload = 16u << 20;
inline constexpr std::size_t kMaxDataFrame = kDataHeader + kMaxPayload;

enum class FrameKind : std::uint8_t { data = 0, abort = 1, alive = 2 };

struct DataHeader {
  StudyDigest digest{};
  AttemptId attempt{};
  int sender = 0, receiver = 0;  // party indices, different
  int step = 0;                  // 0..8
  FrameKind kind = FrameKind::data;
  // data: number of the message in its direction. abort: index of the party that left first, as far as the sender
  // knows; the sender itself, unless it leaves because another one did. alive: 0.
  std::uint64_t sequence = 0;
};

struct DataFrame {
  DataHeader header;
  ByteView payload;  // a view of the decoded bytes
};

// Error(limit_exceeded) above kMaxPayload bytes.
Bytes encode_data_frame(const DataHeader& header, ByteView payload);
// Error(invalid_text) unless the bytes are one well-formed frame.
DataFrame decode_data_frame(ByteView bytes);

// Name of an engine's socket inside the private directory.
std::string engine_socket_name(const std::string& attempt_hex);

}  // namespace pgmpc
