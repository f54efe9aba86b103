// A Channel that encrypts between engines (rule F10).
// Messages are AES-256-GCM under keys that the two engines agree on by an ephemeral X25519 exchange. So listener
// memory, queues and captures of the transport hold ciphertext only, and cleansing the engine's keys erases what was
// sent.
//
// Terms
// sid = SHA-256(digest || nonce_0 || nonce_1 || nonce_2): binds the keys to study, attempt and all parties.
//
// Invariants
// There is one key per direction and pair (HKDF over the agreement with sid). The nonce is the message number. Step and
// direction are associated data. A message that does not open ends the attempt.
// The transport authenticates the peers (mutual TLS, pinned certificates). The exchange is bound to it because the
// public keys travel over it.
#pragma once
#include <memory>

#include "base/channel.h"
#include "base/rng.h"
#include "base/secret.h"
#include "crypto/keyed_hash.h"

namespace pgmpc {

class SealedChannel final : public Channel {
 public:
  // Runs the handshake (step 0): sends version, digest, nonce and public key to both peers and receives theirs. Throws
  // Error(protocol_violation) when a peer's digest or version differs.
  SealedChannel(Channel& transport, const Hash& digest, Rng& rng);
  ~SealedChannel() override;

  const Hash& sid() const;
  // The party whose message was received last, to be named when that message makes no sense. -1 before the first one.
  int latest_sender() const noexcept;
  // Returns a 32-byte key that only this party and that peer know, for the pairwise PRF keys of mpc/ (HKDF with sid,
  // info).
  SecretArray<32> pairwise_key(int peer, std::string_view info) const;

  int self() const override;
  void send(int to, int step, Bytes message) override;
  Bytes receive(int from, int step) override;
  int await(unsigned peers, int step, std::chrono::steady_clock::time_point until) override;
  void flush() override;
  void abort() noexcept override;
  std::uint64_t bytes_sent() const override;
  std::uint64_t bytes_sent_to(int to) const override;
  // Destroys the keys of this channel. Sending and receiving throw Error(internal) afterwards.
  void wipe() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgmpc
