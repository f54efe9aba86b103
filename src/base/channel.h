// The abstract message channel between the three parties of one attempt.
// transport/transport_channel.h implements it over HTTPS, the unit tests in memory. crypto/sealed_channel.h adds
// encryption on top of either.
//
// Terms
// party index: 0 and 1 are the controllers in the byte order of their party names, 2 is the third party.
// step: the protocol step (1 to 8) that a message belongs to; 0 for the handshake of the attempt.
//
// Invariants
// Messages between two parties arrive exactly once, in the order of sending. A message is confidential and authentic
// between its two ends: the remaining party never sees it.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace pgmpc {

inline constexpr int kParties = 3;
inline constexpr int kThirdParty = 2;
// A message whose capacity exceeds its size by this much is sealed in place: the authentication tag goes behind it.
inline constexpr std::size_t kMessageRoom = 16;

class Channel {
 public:
  virtual ~Channel() = default;
  virtual int self() const = 0;
  // Queues one message for party `to`. It returns before the peer has received the message, and blocks only while too
  // many bytes are queued (back-pressure).
  virtual void send(int to, int step, Bytes message) = 0;
  // Returns the next message of that peer. Throws Error(protocol_violation) when the message belongs to another step,
  // Error(timeout) when the peer has made no progress for step_timeout, Error(peer_stopped) or Error(cancelled).
  virtual Bytes receive(int from, int step) = 0;
  // Waits until a message of one of `peers` (bit i: party i) can be received, or until the given time. Returns the
  // party of that message, or -1. Throws the errors of receive() for the first of these peers. With an empty set it
  // throws only when the attempt is cancelled or a peer has left.
  virtual int await(unsigned peers, int step, std::chrono::steady_clock::time_point until) = 0;
  // Returns when the receivers' channels have acknowledged every message sent so far.
  virtual void flush() = 0;
  // Tells both peers that this party leaves the attempt. The message carries no reason, because a reason could depend
  // on data.
  virtual void abort() noexcept = 0;
  virtual std::uint64_t bytes_sent() const = 0;
  virtual std::uint64_t bytes_sent_to(int to) const = 0;
};

}  // namespace pgmpc
