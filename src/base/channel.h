// What: the abstract channel between the three parties of one attempt. net/ implements it over HTTPS,
//       test/ in memory, crypto/sealed_channel.h as a sealing layer above either.
// Terms: party index = 0, 1 the controllers (byte order of their party names), 2 the third party;
//        step = the protocol step (1..8) a message belongs to, 0 for the handshake of the attempt.
// Invariants: messages between two parties arrive exactly once and in the order they were sent; a message is
//             confidential and authentic between its two ends (the third never sees it).
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace pgmpc {

inline constexpr int kParties = 3;
inline constexpr int kThirdParty = 2;
// A message with this much capacity beyond its size is sealed where it lies (the tag goes behind it).
inline constexpr std::size_t kMessageRoom = 16;

class Channel {
 public:
  virtual ~Channel() = default;
  virtual int self() const = 0;
  // Queues one message. Returns before the peer has it; blocks only while too much is under way (back-pressure).
  virtual void send(int to, int step, Bytes message) = 0;
  // The next message of that peer. Error(protocol_violation) when it belongs to another step,
  // Error(timeout) after step_timeout without progress of that peer, Error(peer_stopped), Error(cancelled).
  virtual Bytes receive(int from, int step) = 0;
  // Waits until a message of one of these peers (bit i: party i) is there to be received, or until the given time: its
  // party, or -1. Errors as receive() of this step, for the first of these peers; without a peer only when the attempt
  // is cancelled or a peer has left.
  virtual int await(unsigned peers, int step, std::chrono::steady_clock::time_point until) = 0;
  // Returns when every message sent so far has been acknowledged by its receiver's channel.
  virtual void flush() = 0;
  // Tells both peers that this party leaves the attempt. Carries no reason (a reason could depend on data).
  virtual void abort() noexcept = 0;
  virtual std::uint64_t bytes_sent() const = 0;
  virtual std::uint64_t bytes_sent_to(int to) const = 0;
};

}  // namespace pgmpc
