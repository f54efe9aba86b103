// What: what the controllers and the third party say to each other in steps 4-7: messages, block sizes, column order.
// Terms: block = the records of one message. Every message travels sealed (crypto/sealed_channel.h).
// Invariants: before the match count is announced nothing a controller sees depends on the other's data (F5, F6): the
//             third party's only message up to there is the announcement, of one fixed size, at a time of pace.h; the
//             controllers send each other nothing between the check of the joint key and the announcement.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "algebra/column.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "study/columns.h"

namespace pgmpc {

inline constexpr std::size_t kHashBlock = 16384;                  // hashes per message
inline constexpr std::size_t kBlockBytes = std::size_t{1} << 20;  // about this much ciphertext per message
inline constexpr std::size_t kShareBlock = 262144;                // values per message of step 7

// First message of a push: how many records follow. Third party only.
Bytes encode_record_count(std::uint64_t records);
std::uint64_t decode_record_count(ByteView message);

// The announcement of step 4. matched = 0 and refused for a join below the minimum: same size, nothing else (F7).
// too_many: this controller's own records do not fit the third party's memory; the other one is told of a refusal.
struct Announcement {
  bool refused = false;
  bool too_many = false;
  std::uint64_t matched = 0;
};
Bytes encode_announcement(const Announcement& announcement);
Announcement decode_announcement(ByteView message);

// What all parties learn of a controller's columns: order of magnitude and kind.
Bytes encode_descriptions(const std::vector<ColumnDescription>& columns);
std::vector<ColumnDescription> decode_descriptions(ByteView message, std::size_t expected);

// Records per ciphertext block for records of this many ciphertext bytes.
std::size_t records_per_block(std::size_t record_bytes);

}  // namespace pgmpc
