// Implements crypto/sealed_channel.h: handshake, key derivation, sealing and opening.
//
// Terms
// pair secret: HKDF of the X25519 agreement of two parties with sid and both public keys. The two direction keys and
// every pairwise_key are derived from it.
#include "crypto/sealed_channel.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/mutants.h"
#include "base/witness.h"
#include "crypto/seal.h"

namespace pgmpc {

namespace {

constexpr std::uint16_t kHandshakeVersion = 1;
constexpr int kHandshakeStep = 0;

struct Hello {
  std::uint16_t version = kHandshakeVersion;
  Hash digest{};
  Hash nonce{};
  AgreementPublic public_key{};
};

Bytes encode(const Hello& hello) {
  Bytes out;
  Writer(out).u16(hello.version).raw(hello.digest).raw(hello.nonce).raw(hello.public_key);
  return out;
}

// The version comes first and is checked first, so the handshake of a newer version may have another form.
Hello decode(ByteView message, const Hash& digest) {
  try {
    Reader in(message);
    Hello hello;
    hello.version = in.u16();
    if (hello.version != kHandshakeVersion)
      throw Error(ErrorCode::protocol_violation, "a peer uses another protocol version",
                  "This node uses version " + std::to_string(kHandshakeVersion) + ", the peer uses version " +
                      std::to_string(hello.version) + ".",
                  "Install the same version of pg_mpc on all nodes.");
    const auto take = [&in](std::array<std::uint8_t, 32>& to) {
      const ByteView bytes = in.raw(to.size());
      std::copy(bytes.begin(), bytes.end(), to.begin());
    };
    take(hello.digest);
    take(hello.nonce);
    take(hello.public_key);
    in.expect_end();
    if (hello.digest != digest) throw Error(ErrorCode::protocol_violation, "a peer runs a study with another digest");
    return hello;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_text) throw;
    throw Error(ErrorCode::protocol_violation, "a peer sent a malformed handshake");
  }
}

std::string text_of(ByteView bytes) { return std::string(bytes.begin(), bytes.end()); }

SecretArray<32> derive(ByteView key, ByteView salt, const std::string& info) {
  const SecretBytes bytes = hkdf(key, salt, info, 32);
  SecretArray<32> out;
  std::copy(bytes.begin(), bytes.end(), out.data());
  return out;
}

SealNonce nonce_of(std::uint64_t sequence) {
  SealNonce nonce{};
  for (int i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(sequence >> (56 - 8 * i));
  return nonce;
}

Bytes associated_data(int from, int to, int step, std::uint64_t sequence) {
  Bytes aad;
  Writer(aad).u8(static_cast<std::uint8_t>(from)).u8(static_cast<std::uint8_t>(to));
  Writer(aad).u32(static_cast<std::uint32_t>(step)).u64(sequence);
  return aad;
}

// One direction of one pair: its key and the number of the next message.
struct Direction {
  std::optional<SealKey> key;
  std::uint64_t next = 0;
};

}  // namespace

struct SealedChannel::State {
  Channel& transport;
  Hash sid{};
  std::array<SecretArray<32>, kParties> pair_secrets;
  std::array<Direction, kParties> to, from;
  bool open = false;
  int latest_sender = -1;

  explicit State(Channel& channel) : transport(channel) {}
  void handshake(const Hash& digest, Rng& rng);
  void derive_pair(int peer, const AgreementKey& own, const AgreementPublic& other);
  Direction& direction(std::array<Direction, kParties>& directions, int peer);
  void wipe() noexcept;
};

void SealedChannel::State::handshake(const Hash& digest, Rng& rng) {
  AgreementKey own(rng);
  std::array<Hello, kParties> hellos;
  const int self = transport.self();
  hellos[self].digest = digest;
  rng.fill(hellos[self].nonce);
  hellos[self].public_key = own.public_key();
  for (int peer = 0; peer < kParties; ++peer)
    if (peer != self) transport.send(peer, kHandshakeStep, encode(hellos[self]));
  for (int peer = 0; peer < kParties; ++peer)
    if (peer != self) hellos[peer] = decode(transport.receive(peer, kHandshakeStep), digest);

  Bytes bound;
  Writer writer(bound);
  writer.raw(digest);
  for (const Hello& hello : hellos) writer.raw(hello.nonce);
  sid = sha256(bound);
  for (int peer = 0; peer < kParties; ++peer)
    if (peer != self) derive_pair(peer, own, hellos[peer].public_key);
  open = true;
}

void SealedChannel::State::derive_pair(int peer, const AgreementKey& own, const AgreementPublic& other) {
  const int self = transport.self();
  const SecretArray<32> shared = own.agree(other);
  witness("agreement secret", shared.view());
  const auto& low = self < peer ? own.public_key() : other;
  const auto& high = self < peer ? other : own.public_key();
  pair_secrets[peer] = derive(shared.view(), sid, "pg_mpc pair v1" + text_of(low) + text_of(high));
  witness("pair secret of the attempt", pair_secrets[peer].view());
  const auto direction_key = [&](int sender, int receiver) {
    const std::uint8_t ends[] = {static_cast<std::uint8_t>(sender), static_cast<std::uint8_t>(receiver)};
    SecretArray<32> key = derive(pair_secrets[peer].view(), sid, "pg_mpc seal v1" + text_of(ends));
    witness("seal key", key.view());
    return key;
  };
  to[peer].key.emplace(direction_key(self, peer));
  from[peer].key.emplace(direction_key(peer, self));
}

Direction& SealedChannel::State::direction(std::array<Direction, kParties>& directions, int peer) {
  if (peer < 0 || peer >= kParties || peer == transport.self())
    throw Error(ErrorCode::internal, "no channel between these parties");
  if (!open) throw Error(ErrorCode::internal, "the keys of this channel were destroyed");
  return directions[peer];
}

void SealedChannel::State::wipe() noexcept {
  open = false;
  for (int peer = 0; peer < kParties; ++peer) {
    pair_secrets[peer].wipe();
    to[peer].key.reset();
    from[peer].key.reset();
  }
}

SealedChannel::SealedChannel(Channel& transport, const Hash& digest, Rng& rng)
    : state_(std::make_unique<State>(transport)) {
  state_->handshake(digest, rng);
}

SealedChannel::~SealedChannel() { state_->wipe(); }

int SealedChannel::latest_sender() const noexcept { return state_->latest_sender; }

const Hash& SealedChannel::sid() const { return state_->sid; }

SecretArray<32> SealedChannel::pairwise_key(int peer, std::string_view info) const {
  state_->direction(state_->to, peer);
  return derive(state_->pair_secrets[peer].view(), state_->sid, "pg_mpc pairwise v1 " + std::string(info));
}

int SealedChannel::self() const { return state_->transport.self(); }

void SealedChannel::send(int to, int step, Bytes message) {
  Direction& direction = state_->direction(state_->to, to);
  deviate(self(), to, step, message);
  const std::uint64_t sequence = direction.next++;
  state_->transport.send(
      to, step,
      direction.key->seal(nonce_of(sequence), associated_data(self(), to, step, sequence), std::move(message)));
}

Bytes SealedChannel::receive(int from, int step) {
  Direction& direction = state_->direction(state_->from, from);
  Bytes sealed = state_->transport.receive(from, step);
  state_->latest_sender = from;
  const std::uint64_t sequence = direction.next++;
  auto message =
      direction.key->open(nonce_of(sequence), associated_data(from, self(), step, sequence), std::move(sealed));
  if (!message) {
    state_->wipe();
    state_->transport.abort();
    throw Error(ErrorCode::protocol_violation, "a message of a peer failed authentication");
  }
  return std::move(*message);
}

int SealedChannel::await(unsigned peers, int step, std::chrono::steady_clock::time_point until) {
  return state_->transport.await(peers, step, until);
}
void SealedChannel::flush() { state_->transport.flush(); }
void SealedChannel::abort() noexcept { state_->transport.abort(); }
std::uint64_t SealedChannel::bytes_sent() const { return state_->transport.bytes_sent(); }
std::uint64_t SealedChannel::bytes_sent_to(int to) const { return state_->transport.bytes_sent_to(to); }
void SealedChannel::wipe() noexcept { state_->wipe(); }

}  // namespace pgmpc
