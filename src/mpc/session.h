// One party's view of a three-party computation on Shamir shares of degree 1 (points 1, 2, 3) in one attempt.
//
// Terms
// The dealer of coordinate j is party j mod 3; its evaluators are e1 = dealer+1 and e2 = dealer+2 (mod 3).
// round: all parties send at most one message to each peer, then wait.
// additive share: this party's Lagrange-weighted local value; the three sum to the secret.
// exposure: a bound on the statistical distance of everything opened so far (rule F13).
//
// Invariants
// Every PRF block is used for one purpose at one position (label.h; builds for tests throw an error on a repeat).
// Message sizes are public. Nothing branches on shares.
//
// Security
// Passive, with at most one corrupt party. Traffic between two evaluators never passes the dealer (Channel).
#pragma once
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/cancel.h"
#include "base/channel.h"
#include "base/limits.h"
#include "base/rng.h"
#include "mpc/comparison_kind.h"
#include "mpc/label.h"
#include "sharing/field.h"
#include "sharing/prf.h"

namespace pgmpc {

// Widths of the masked opening. In comparisons secrets have at most kValueBits bits with sign (|x| < 2^(kValueBits-1)).
// Masks R1, R2 are uniform in [0, 2^kMaskBits). 2^(kMaskBits+1) + 2^(kMaxBound+1) < p, so the opened value never wraps.
inline constexpr int kValueBits = 83;
inline constexpr int kMaskBits = 125;
inline constexpr int kMaxBound = 90;

struct SessionKeys {
  // Pairwise 32-byte keys; the entry of the party itself is unused.
  std::array<SecretArray<32>, kParties> pair;
  std::array<std::uint8_t, 32> sid{};  // public: identifies the attempt
};

struct Traffic {
  std::int64_t rounds = 0;
  std::int64_t elements_sent = 0;  // field elements, without those inside comparison keys
  std::int64_t bytes_sent = 0;
};

struct Transcript : Traffic {
  // By phase of the gate labels. A round that several phases share counts for each of them.
  std::map<std::uint16_t, Traffic> phases;
  double exposure = 0;     // union bound over all openings
  int widest_opening = 0;  // builds for tests: bits of the widest value opened
};

// A longer message of a round is sent in pieces of this size. The transport takes at most 16 MB.
inline constexpr std::size_t kMessagePiece = std::size_t{8} << 20;

class TaskGroup;

// A number of values of an opening, each below 2^bound in absolute value.
struct Stretch {
  std::size_t count;
  int bound;
};

// The messages of one round at one party.
struct Exchange {
  std::uint16_t phase = 0;    // the phase that the traffic counts for
  std::size_t key_bytes = 0;  // of out: bytes of keys and bits of comparisons
  std::array<Bytes, kParties> out{}, in{};
  std::array<std::size_t, kParties> expected{};
};

class Session {
 public:
  // step: the protocol step that the messages belong to. The session takes over the keys.
  Session(Channel& channel, int step, SessionKeys keys, Rng& rng, const CancelToken& cancel);
  ~Session();

  int self() const { return self_; }
  int point() const { return self_ + 1; }
  const Transcript& transcript() const { return transcript_; }
  Rng& rng() { return rng_; }
  void set_step(int step) { step_ = step; }
  // How this computation compares. All three parties choose the same kind before their first comparison.
  ComparisonKind comparison() const { return comparison_; }
  void set_comparison(ComparisonKind kind) { comparison_ = kind; }
  // names: returns the name of a phase for errors and results.
  void name_phases(std::string (*names)(std::uint16_t phase)) { phase_names_ = names; }
  std::string phase_name(std::uint16_t phase) const;
  // Called after every round, in the thread that owns the session.
  void on_round(std::function<void()> watch) { watch_ = std::move(watch); }
  const std::array<std::uint8_t, 32>& sid() const { return sid_; }
  // The public key of the attempt for the generator of comparison keys. HKDF of the sid keeps it apart from every other
  // use of the sid.
  const std::array<std::uint8_t, 16>& generator_key() const { return generator_key_; }

  // Runs one round: sends out[peer] unless it is empty, and receives exactly expected[peer] bytes into in[peer] unless
  // that is 0. Throws Error(protocol_violation) for another size, and the errors of Channel. Inside a TaskGroup the
  // round is shared with the other tasks.
  void exchange(Exchange& round);

  // Returns pseudorandom blocks shared with the peer for the stream sender -> receiver: coordinates first,
  // first+stride, ... This party is sender or receiver.
  SecretVector<u128> blocks(Purpose purpose, int sender, int receiver, const GateLabel& label, std::uint32_t first,
                            std::uint32_t stride, std::size_t count, std::uint16_t part = 0);

  void add_exposure(std::size_t openings, int bound_bits);
  // Counts the exposure of one opening; throws Error(limit_exceeded) beyond kMostExposure. Builds for tests also check
  // that the three parties' weighted values sum to |x| < 2^bound (shared memory of the test process).
  void book_opening(const GateLabel& label, std::span<const Fp> values, std::span<const Stretch> bounds);

  // 1 - of/z, in points. Times v it is the share of party `of` of the polynomial with value v at 0 and 0 at party z's
  // point.
  static Fp vanishing_factor(int of, int z);
  // The Lagrange weight of this party's share at 0 for degree <= 2: 3, -3, 1.
  Fp weight() const;

 private:
  friend class TaskGroup;
  void book_traffic(const Exchange& round);
  void exchange_now(Exchange& round);
  void exchange_piece(Exchange& round, std::size_t first);

  TaskGroup* group_ = nullptr;
  Channel& channel_;
  int step_;
  int self_;
  ComparisonKind comparison_ = ComparisonKind::fast;
  Rng& rng_;
  const CancelToken& cancel_;
  std::array<std::uint8_t, 32> sid_;
  std::array<std::uint8_t, 16> generator_key_{};
  Transcript transcript_;
  std::map<std::uint16_t, std::int64_t> latest_round_;  // the latest round of each phase
  std::string (*phase_names_)(std::uint16_t) = nullptr;
  std::function<void()> watch_;
  struct Streams;
  std::unique_ptr<Streams> streams_;
};

// Append an element to a message, and read the index-th one of it.
void append(Bytes& out, Fp x);
Fp element(const Bytes& in, std::size_t index);

}  // namespace pgmpc
