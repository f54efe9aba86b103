#include "mpc/session.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/mutants.h"
#include "base/witness.h"
#include "crypto/keyed_hash.h"
#include "mpc/task_group.h"
#ifdef PG_MPC_TESTING
#include "mpc/registry.h"
#endif

namespace pgmpc {

struct Session::Streams {
  SessionKeys keys;
  std::map<std::tuple<Purpose, int, int>, BlockCipher> ciphers;
#ifdef PG_MPC_TESTING
  LabelRegistry registry;
#endif

  BlockCipher& cipher(Purpose purpose, int sender, int receiver, int peer) {
    auto key = std::make_tuple(purpose, sender, receiver);
    auto found = ciphers.find(key);
    if (found != ciphers.end()) return found->second;
    const std::string info = "pg_mpc prf " + std::to_string(static_cast<int>(purpose)) + " " + std::to_string(sender) +
                             " " + std::to_string(receiver);
    SecretBytes subkey = hkdf(keys.pair[peer].view(), keys.sid, info, 16);
    witness("PRF key", view_of(subkey));
    return ciphers.emplace(key, BlockCipher(view_of(subkey))).first->second;
  }
};

Session::Session(Channel& channel, int step, SessionKeys keys, Rng& rng, const CancelToken& cancel)
    : channel_(channel), step_(step), self_(channel.self()), rng_(rng), cancel_(cancel), sid_(keys.sid) {
  const SecretBytes key = hkdf(sid_, {}, "pg_mpc dcf", generator_key_.size());
  std::ranges::copy(key, generator_key_.begin());
  streams_ = std::make_unique<Streams>();
  streams_->keys = std::move(keys);
}

Session::~Session() = default;

void Session::exchange(Exchange& round) {
  if (group_ != nullptr) return group_->exchange(round);
  book_traffic(round);
  exchange_now(round);
}

std::string Session::phase_name(std::uint16_t phase) const {
  return phase_names_ != nullptr ? phase_names_(phase) : std::to_string(phase);
}

// Counts what will be sent in the next round.
void Session::book_traffic(const Exchange& round) {
  std::size_t bytes = 0;
  for (const Bytes& out : round.out) bytes += out.size();
  Traffic& phase = transcript_.phases[round.phase];
  for (Traffic* traffic : {&phase, static_cast<Traffic*>(&transcript_)}) {
    traffic->bytes_sent += static_cast<std::int64_t>(bytes);
    traffic->elements_sent += static_cast<std::int64_t>((bytes - round.key_bytes) / kFpBytes);
  }
  const std::int64_t number = transcript_.rounds + 1;
  if (std::exchange(latest_round_[round.phase], number) != number) ++phase.rounds;
}

void Session::exchange_now(Exchange& round) {
  auto& out = round.out;
  auto& in = round.in;
  const auto& expected = round.expected;
  std::size_t longest = 0;
  for (int peer = 0; peer < kParties; ++peer) {
    in[peer].clear();
    if (peer != self_) longest = std::max({longest, out[peer].size(), expected[peer]});
  }
  // All parties send one piece before they wait for one, so no queue has to hold more than a piece.
  for (std::size_t first = 0; first == 0 || first < longest; first += kMessagePiece) exchange_piece(round, first);
  for (Bytes& message : out) message.clear();
  ++transcript_.rounds;
  if (watch_) watch_();
}

// Exchanges the bytes first .. first + kMessagePiece of the messages.
void Session::exchange_piece(Exchange& round, std::size_t first) {
  cancel_.check();
  for (int peer = 0; peer < kParties; ++peer) {
    Bytes& message = round.out[peer];
    if (peer == self_ || first >= message.size()) continue;
    if (message.size() <= kMessagePiece) {
      channel_.send(peer, step_, std::move(message));
      message.clear();
    } else {
      const auto at = message.begin() + static_cast<std::ptrdiff_t>(first);
      channel_.send(peer, step_,
                    Bytes(at, at + static_cast<std::ptrdiff_t>(std::min(kMessagePiece, message.size() - first))));
    }
  }
  for (int peer = 0; peer < kParties; ++peer) {
    if (peer == self_ || first >= round.expected[peer]) continue;
    const std::size_t size = std::min(kMessagePiece, round.expected[peer] - first);
    Bytes piece = channel_.receive(peer, step_);
    if (piece.size() != size)
      throw Error(ErrorCode::protocol_violation, "a message of the computation has the wrong size",
                  "party " + std::to_string(peer) + ", " + std::to_string(piece.size()) + " bytes instead of " +
                      std::to_string(size));
    if (first == 0)
      round.in[peer] = std::move(piece);
    else
      round.in[peer].insert(round.in[peer].end(), piece.begin(), piece.end());
  }
}

namespace {
// Builds for tests: whether the active mutant leaves out the randomness of this purpose.
bool left_out(Purpose purpose) {
  switch (purpose) {
    case Purpose::input:
      return mutant(Mutant::no_input_mask);
    case Purpose::mask:
      return mutant(Mutant::no_opening_mask);
    case Purpose::zero:
      return mutant(Mutant::no_zero_sharing);
    case Purpose::reshare:
      return mutant(Mutant::no_reshare_mask);
    case Purpose::key_share:
      return mutant(Mutant::no_key_share_mask);
    case Purpose::table:
      return mutant(Mutant::no_table_share);
  }
  return false;
}
}  // namespace

SecretVector<u128> Session::blocks(Purpose purpose, int sender, int receiver, const GateLabel& label,
                                   std::uint32_t first, std::uint32_t stride, std::size_t count, std::uint16_t part) {
  const int peer = sender == self_ ? receiver : sender;
  if (mutant(Mutant::opening_mask_reuses_zero_label) && purpose == Purpose::mask) {
    // The mutant draws R from the zero-sharing stream of the same pair, whose direction is i -> i+1.
    purpose = Purpose::zero;
    if ((sender + 1) % kParties != receiver) std::swap(sender, receiver);
  }
  if (mutant(Mutant::reshare_one_label) && purpose == Purpose::reshare && sender > receiver)
    std::swap(sender, receiver);
#ifdef PG_MPC_TESTING
  streams_->registry.claim(purpose, sender, receiver, label, part, first, stride, count);
#endif
  SecretVector<u128> out(count);
  if (left_out(purpose)) return out;
  auto* bytes = reinterpret_cast<std::uint8_t*>(out.data());
  const LabelBlock block = label_block(label, part, 0);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(bytes + 16 * i, block.data(), 16);
    set_coordinate(bytes + 16 * i, static_cast<std::uint32_t>(first + i * stride));
  }
  streams_->cipher(purpose, sender, receiver, peer).encrypt({bytes, 16 * count}, {bytes, 16 * count});
  return out;
}

void Session::add_exposure(std::size_t openings, int bound_bits) {
  if (bound_bits > kMaxBound) throw Error(ErrorCode::internal, "an opening declares too wide a bound");
  transcript_.exposure += static_cast<double>(openings) * std::ldexp(1.0, bound_bits + 1 - kMaskBits);
  if (transcript_.exposure > kMostExposure)
    throw Error(ErrorCode::limit_exceeded, "the openings of this study would exceed the allowed statistical distance",
                "limit 2^-24 for everything opened in one attempt",
                "agree on fewer lambdas, fewer attributes or a smaller analysis.max_iterations");
}

void Session::book_opening(const GateLabel& label, std::span<const Fp> values, std::span<const Stretch> bounds) {
  for (const Stretch& stretch : bounds) add_exposure(stretch.count, stretch.bound);
#ifdef PG_MPC_TESTING
  FpVector additive(values.size());
  for (std::size_t j = 0; j < values.size(); ++j) additive[j] = values[j] * weight();
  const int widest = RangeProbe::check(sid_, label, self_, additive, bounds);
  transcript_.widest_opening = std::max(transcript_.widest_opening, widest);
#endif
}

namespace {
struct Vanishing {
  Fp factor[kParties][kParties];
  constexpr Vanishing() {
    for (int of = 0; of < kParties; ++of)
      for (int z = 0; z < kParties; ++z)
        factor[of][z] = Fp::from_int(1) - Fp::from_int(of + 1) * inverse(Fp::from_int(z + 1));
  }
};
constexpr Vanishing kVanishing;
}  // namespace

Fp Session::vanishing_factor(int of, int z) { return kVanishing.factor[of][z]; }

Fp Session::weight() const {
  static constexpr std::int64_t weights[kParties] = {3, -3, 1};
  return Fp::from_int(weights[self_]);
}

void append(Bytes& out, Fp x) {
  std::uint8_t bytes[kFpBytes];
  store(x, bytes);
  out.insert(out.end(), bytes, bytes + kFpBytes);
}

Fp element(const Bytes& in, std::size_t index) { return load(in.data() + index * kFpBytes); }

}  // namespace pgmpc
