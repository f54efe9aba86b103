#include "transport/data_frame.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/message_of.h"
#include "transport/inbox.h"

namespace pgmpc {
namespace {

DataHeader header() {
  DataHeader out;
  out.digest.fill(0xd1);
  out.attempt.fill(0xa7);
  out.sender = 1;
  out.receiver = 2;
  out.step = 8;
  out.sequence = 0x0102030405060708;
  return out;
}

TEST(DataFrame, RoundTrip) {
  Bytes payload{1, 2, 3};
  Bytes bytes = encode_data_frame(header(), payload);
  EXPECT_EQ(bytes.size(), kDataHeader + 3);
  DataFrame frame = decode_data_frame(bytes);
  EXPECT_EQ(frame.header.digest, header().digest);
  EXPECT_EQ(frame.header.attempt, header().attempt);
  EXPECT_EQ(frame.header.sender, 1);
  EXPECT_EQ(frame.header.receiver, 2);
  EXPECT_EQ(frame.header.step, 8);
  EXPECT_EQ(frame.header.sequence, 0x0102030405060708u);
  EXPECT_EQ(Bytes(frame.payload.begin(), frame.payload.end()), payload);
}

TEST(DataFrame, EveryFieldIsChecked) {
  Bytes good = encode_data_frame(header(), Bytes{9});
  for (std::size_t size = 0; size < kDataHeader; ++size)
    EXPECT_THROW(decode_data_frame(ByteView(good).first(size)), Error) << size;
  // {offset, bad value}: version, sender, receiver, receiver = sender, step, kind
  for (auto [offset, value] : {std::pair{0, 2}, {49, 3}, {50, 3}, {50, 1}, {51, 9}, {52, 3}}) {
    Bytes bad = good;
    bad[static_cast<std::size_t>(offset)] = static_cast<std::uint8_t>(value);
    EXPECT_EQ(test::message_of([&] { decode_data_frame(bad); }), "malformed data frame") << offset;
  }
  for (FrameKind kind : {FrameKind::abort, FrameKind::alive}) {
    DataHeader bare = header();
    bare.kind = kind;
    EXPECT_THROW(decode_data_frame(encode_data_frame(bare, {})), Error);  // has a sequence number
    bare.sequence = 0;
    EXPECT_THROW(decode_data_frame(encode_data_frame(bare, Bytes{9})), Error);
    EXPECT_EQ(decode_data_frame(encode_data_frame(bare, {})).header.kind, kind);
  }
}

TEST(Inbox, OrdersDropsDuplicatesAndBoundsTheWindow) {
  Inbox inbox;
  auto put = [&](std::uint64_t sequence) { return inbox.put(sequence, {1, Bytes(10, 0)}); };
  EXPECT_EQ(put(1), Inbox::Verdict::accepted);
  EXPECT_FALSE(inbox.ready());
  EXPECT_EQ(inbox.ready_bytes(), 0u);
  EXPECT_EQ(put(1), Inbox::Verdict::duplicate);
  EXPECT_EQ(put(0), Inbox::Verdict::accepted);
  EXPECT_EQ(inbox.ready_bytes(), 20u);
  EXPECT_EQ(put(0), Inbox::Verdict::duplicate);
  inbox.take();
  inbox.take();
  EXPECT_FALSE(inbox.ready());
  EXPECT_EQ(put(2 + Inbox::kWindow), Inbox::Verdict::too_early);
  EXPECT_EQ(put(1 + Inbox::kWindow), Inbox::Verdict::accepted);
}

}  // namespace
}  // namespace pgmpc
