// The messages between controllers and third party in steps 4 to 7, and their block sizes.
//
// Terms
// A block holds the records of one message. Every message is encrypted (crypto/sealed_channel.h).
//
// Invariants
// Before the match count is announced, nothing that a controller sees depends on the other's data (rules F5, F6). Up to
// then the third party's only message is the announcement, of one fixed size and at a time that pace.h sets. Between
// the check of the joint key and the announcement the controllers send each other nothing.
//
// Errors
// The decoders throw Error(protocol_violation) for a value out of range.
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

// The first message of a push: how many records follow. Only the third party receives it.
Bytes encode_record_count(std::uint64_t records);
std::uint64_t decode_record_count(ByteView message);

// The announcement of step 4. A refused join has matched = 0; the message has the same size and says nothing else (rule
// F7). too_many: the receiver's own records do not fit into the third party's memory. The other controller then gets
// `refused`.
struct Announcement {
  bool refused = false;
  bool too_many = false;
  std::uint64_t matched = 0;
};
Bytes encode_announcement(const Announcement& announcement);
Announcement decode_announcement(ByteView message);

// What all parties learn about a controller's columns: the scale exponent, and whether it is two-valued. expected:
// number of columns.
Bytes encode_descriptions(const std::vector<ColumnDescription>& columns);
std::vector<ColumnDescription> decode_descriptions(ByteView message, std::size_t expected);

// Returns the records per ciphertext block, at least 1. record_bytes: ciphertext bytes of one record.
std::size_t records_per_block(std::size_t record_bytes);

}  // namespace pgmpc
