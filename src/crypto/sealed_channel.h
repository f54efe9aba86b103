// What: sealing between engines (security rule F10): a Channel whose messages are AES-256-GCM under keys agreed by
//       an ephemeral X25519 exchange of the two engines, so that listener memory, queues and captures of the
//       transport hold ciphertext only, and cleansing the engine's keys erases what was sent.
// Terms: sid = SHA-256(digest || nonce_0 || nonce_1 || nonce_2): binds the keys to study, attempt and all parties.
// Invariants: one key per direction and pair (HKDF over the agreement with sid); nonce = message number; step and
//             direction are associated data; a message that does not open ends the attempt.
//             The transport authenticates the peers (mutual TLS, pinned certificates); the exchange is bound to it
//             because the public keys travel over it.
#pragma once
#include <memory>

#include "base/channel.h"
#include "base/rng.h"
#include "base/secret.h"
#include "crypto/keyed_hash.h"

namespace pgmpc {

class SealedChannel final : public Channel {
 public:
  // Runs the handshake (step 0): sends version, digest, nonce and public key to both peers, receives theirs.
  // Error(protocol_violation) when a peer's digest or version differs.
  SealedChannel(Channel& transport, const Hash& digest, Rng& rng);
  ~SealedChannel() override;

  const Hash& sid() const;
  // Whose message came last: who is to blame when it makes no sense. -1 before the first one.
  int latest_sender() const noexcept;
  // 32-byte key known to this party and that peer only, for the pairwise PRF keys of mpc/ (HKDF with sid, info).
  SecretArray<32> pairwise_key(int peer, std::string_view info) const;

  int self() const override;
  void send(int to, int step, Bytes message) override;
  Bytes receive(int from, int step) override;
  int await(unsigned peers, int step, std::chrono::steady_clock::time_point until) override;
  void flush() override;
  void abort() noexcept override;
  std::uint64_t bytes_sent() const override;
  std::uint64_t bytes_sent_to(int to) const override;
  // Destroys the keys of this channel. Nothing can be sent or received afterwards.
  void wipe() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgmpc
