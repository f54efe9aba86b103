// The sealed channel over the in-memory transport: agreement of sid and keys, refusals, and what the wire shows.
#include "crypto/sealed_channel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/error.h"
#include "support/loopback_channel.h"
#include "support/test_rng.h"

namespace pgmpc {
namespace {

const Hash kDigest = sha256(view_of("a study"));

using Ends = std::array<std::unique_ptr<SealedChannel>, kParties>;

Ends handshake(LoopbackNetwork& network, std::uint64_t seed = 0) {
  Ends ends;
  run_parties(network, [&](Channel& channel) {
    TestRng rng(seed * kParties + static_cast<std::uint64_t>(channel.self()) + 1);
    ends[channel.self()] = std::make_unique<SealedChannel>(channel, kDigest, rng);
  });
  return ends;
}

ErrorCode code_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

TEST(SealedChannel, PartiesAgreeOnSidAndPairwiseKeys) {
  LoopbackNetwork network;
  const Ends ends = handshake(network);
  EXPECT_EQ(ends[0]->sid(), ends[1]->sid());
  EXPECT_EQ(ends[0]->sid(), ends[2]->sid());
  std::set<std::string> keys;
  for (int i = 0; i < kParties; ++i)
    for (int j = i + 1; j < kParties; ++j)
      for (const char* info : {"prf", "prf2"}) {
        const auto one = ends[i]->pairwise_key(j, info), other = ends[j]->pairwise_key(i, info);
        EXPECT_TRUE(equal_constant_time(one.view(), other.view()));
        keys.insert(to_hex(one.view()));
      }
  EXPECT_EQ(keys.size(), 6u) << "keys of different pairs or purposes must differ";
}

TEST(SealedChannel, NothingRepeatsInAnotherAttempt) {
  LoopbackNetwork first({.record = true}), second({.record = true});
  const Ends a = handshake(first, 1), b = handshake(second, 2);
  EXPECT_NE(a[0]->sid(), b[0]->sid());
  for (const auto& m : first.recording())
    for (const auto& other : second.recording()) EXPECT_NE(m.bytes, other.bytes);
}

TEST(SealedChannel, SendsInOrderBothWays) {
  LoopbackNetwork network;
  const Ends ends = handshake(network);
  for (std::uint8_t i = 0; i < 20; ++i) ends[0]->send(2, 3, Bytes(i, i));
  ends[2]->send(0, 3, Bytes{42});
  for (std::uint8_t i = 0; i < 20; ++i) EXPECT_EQ(ends[2]->receive(0, 3), Bytes(i, i));
  EXPECT_EQ(ends[0]->receive(2, 3), Bytes{42});
  ends[0]->flush();
  EXPECT_EQ(ends[0]->bytes_sent(), network.party(0).bytes_sent());
  EXPECT_GT(ends[0]->bytes_sent_to(2), ends[0]->bytes_sent_to(1));
}

TEST(SealedChannel, TheWireShowsNoPlaintext) {
  LoopbackNetwork network({.record = true});
  const Ends ends = handshake(network);
  const Bytes message(64, 0xab);
  ends[0]->send(1, 2, message);
  ends[0]->send(1, 2, message);
  const auto& wire = network.recording();
  const Bytes &one = wire[wire.size() - 2].bytes, &two = wire[wire.size() - 1].bytes;
  EXPECT_NE(one, two) << "equal messages must not look equal";
  const Bytes part(8, 0xab);
  for (const Bytes* sealed : {&one, &two})
    EXPECT_EQ(std::search(sealed->begin(), sealed->end(), part.begin(), part.end()), sealed->end());
}

TEST(SealedChannel, RefusesChangedReplayedAndRelabelledMessages) {
  enum class Attack { flip, relabel_step, replay, reflect };
  for (Attack attack : {Attack::flip, Attack::relabel_step, Attack::replay, Attack::reflect}) {
    LoopbackNetwork network;
    Ends ends = handshake(network);
    RecordedMessage captured;
    network.set_tamper([&](RecordedMessage& m) {
      captured = m;
      if (attack == Attack::flip) m.bytes[0] ^= 1;
      if (attack == Attack::relabel_step) m.step = 5;
    });
    ends[0]->send(1, 4, Bytes{1, 2, 3});
    network.set_tamper(nullptr);
    int from = 0, to = 1, step = attack == Attack::relabel_step ? 5 : 4;
    if (attack == Attack::replay) {
      EXPECT_EQ(ends[1]->receive(0, 4), (Bytes{1, 2, 3}));
      network.party(0).send(1, 4, captured.bytes);
    } else if (attack == Attack::reflect) {
      network.party(1).send(0, 4, captured.bytes);
      from = 1, to = 0;
    }
    EXPECT_EQ(code_of([&] { ends[to]->receive(from, step); }), ErrorCode::protocol_violation)
        << static_cast<int>(attack);
    EXPECT_THROW(ends[to]->send(from, 4, Bytes{1}), Error) << "the attempt is over";
  }
}

TEST(SealedChannel, RefusesAnotherDigestAndVersion) {
  LoopbackNetwork other_digest;
  EXPECT_EQ(code_of([&] {
              run_parties(other_digest, [](Channel& channel) {
                TestRng rng(static_cast<std::uint64_t>(channel.self()));
                const Hash digest = channel.self() == 1 ? sha256(view_of("another study")) : kDigest;
                SealedChannel sealed(channel, digest, rng);
              });
            }),
            ErrorCode::protocol_violation);
  for (std::size_t size : {std::size_t{97}, std::size_t{99}, std::size_t{0}, std::size_t{98}}) {
    LoopbackNetwork network;
    network.set_tamper([size](RecordedMessage& m) {
      m.bytes.resize(size);
      if (size == 98) m.bytes[1] = 2;  // version
    });
    EXPECT_EQ(code_of([&] { handshake(network); }), ErrorCode::protocol_violation) << size;
  }
}

// An attacker records an attempt without TLS and later holds everything that a node keeps, but not the ephemeral keys.
// An engine to which the whole recording is replayed opens nothing of it. As a control, an engine that draws the same
// key does.
TEST(SealedChannel, ARecordingCannotBeDecryptedWithoutTheKeysOfTheAttempt) {
  const Bytes secret(32, 0x5c);
  LoopbackNetwork network({.record = true});
  Ends ends = handshake(network);
  ends[0]->send(1, 2, secret);
  EXPECT_EQ(ends[1]->receive(0, 2), secret);
  for (auto& end : ends) end->wipe();
  const auto opened = [&](std::uint64_t seed) {
    LoopbackNetwork again;
    for (const RecordedMessage& message : network.view_of_party(1))
      again.party(message.from).send(1, message.step, message.bytes);
    TestRng rng(seed);
    SealedChannel engine(again.party(1), kDigest, rng);
    return engine.receive(0, 2);
  };
  constexpr std::uint64_t kSeedOfParty1 = 2, kAnotherSeed = 77;
  EXPECT_EQ(opened(kSeedOfParty1), secret) << "control: the recording is whole";
  EXPECT_EQ(code_of([&] { opened(kAnotherSeed); }), ErrorCode::protocol_violation);
}

TEST(SealedChannel, WipedChannelIsUnusable) {
  LoopbackNetwork network;
  const Ends ends = handshake(network);
  ends[0]->wipe();
  EXPECT_THROW(ends[0]->send(1, 1, Bytes{1}), Error);
  EXPECT_THROW(ends[0]->receive(1, 1), Error);
  EXPECT_THROW(ends[0]->pairwise_key(1, "prf"), Error);
}

TEST(Loopback, AbortEndsWaitingPeers) {
  LoopbackNetwork network;
  EXPECT_EQ(code_of([&] {
              run_parties(network, {[](Channel& c) { c.receive(1, 1); }, [](Channel& c) { c.receive(2, 1); },
                                    [](Channel&) { throw Error(ErrorCode::refused, "no"); }});
            }),
            ErrorCode::refused);
  EXPECT_EQ(code_of([&] { network.party(0).receive(1, 1); }), ErrorCode::internal);
}

TEST(Loopback, TimeoutCancelAndStep) {
  CancelToken cancel;
  LoopbackNetwork network({.timeout = std::chrono::milliseconds(20), .cancel = &cancel});
  EXPECT_EQ(code_of([&] { network.party(0).receive(1, 1); }), ErrorCode::timeout);
  network.party(1).send(0, 2, {});
  EXPECT_EQ(code_of([&] { network.party(0).receive(1, 1); }), ErrorCode::protocol_violation);
  cancel.cancel();
  EXPECT_EQ(code_of([&] { network.party(2).receive(1, 1); }), ErrorCode::cancelled);
}

}  // namespace
}  // namespace pgmpc
