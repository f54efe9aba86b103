// What: the frame of one data message between two engines (body of POST /v1/data/<attempt>).
// Terms: kind data = the next message of that direction, abort = the sender leaves the attempt, alive = the sender's
//        engine runs, though it may have nothing to say for long (both without payload, sequence 0);
//        sequence = 0, 1, 2, ... per (attempt, sender, receiver).
// Invariants: fixed header of kDataHeader bytes, version first; decoding is bounded and rejects everything that
//             encoding cannot produce, so that encode(decode(x)) == x.
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
  // data: number of the message in its direction; abort: index of the party that left first, as far as the sender
  // knows (itself, unless it leaves because another one did); alive: 0.
  std::uint64_t sequence = 0;
};

struct DataFrame {
  DataHeader header;
  ByteView payload;  // into the decoded bytes
};

Bytes encode_data_frame(const DataHeader& header, ByteView payload);
// Error(invalid_text) for anything but a well-formed frame.
DataFrame decode_data_frame(ByteView bytes);

// Name of an engine's socket inside the private directory.
std::string engine_socket_name(const std::string& attempt_hex);

}  // namespace pgmpc
