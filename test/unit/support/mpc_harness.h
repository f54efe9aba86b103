// Three MPC sessions in one process over the loopback network, for tests of shares.
#pragma once
#include <functional>
#include <vector>

#include "base/mutants.h"
#include "mpc/registry.h"
#include "mpc/session.h"
#include "sharing/shamir.h"
#include "support/loopback_channel.h"
#include "support/test_rng.h"

namespace pgmpc {

inline i128 power_of_two(int bits) { return static_cast<i128>(1) << bits; }

// Switches a mutant on for one scope.
class WithMutant {
 public:
  explicit WithMutant(Mutant m) { active_mutant = m; }
  ~WithMutant() { active_mutant = Mutant::none; }
};

class MpcHarness {
 public:
  explicit MpcHarness(std::uint64_t seed = 1, bool record = false) : seed_(seed), rng_(seed * 7919 + 1) {
    options_.record = record;
    network_ = std::make_unique<LoopbackNetwork>(options_);
    RangeProbe::enable(true);
  }
  ~MpcHarness() { RangeProbe::enable(false); }

  // Sets the kind of comparison of the sessions that run() creates from now on.
  void set_comparison(ComparisonKind kind) { comparison_ = kind; }

  SessionKeys keys_for(int party) const {
    SessionKeys keys;
    keys.sid.fill(static_cast<std::uint8_t>(seed_));
    keys.sid[1] = static_cast<std::uint8_t>(seed_ >> 8);
    keys.sid[2] = static_cast<std::uint8_t>(seed_ >> 16);
    for (int peer = 0; peer < kParties; ++peer) {
      if (peer == party) continue;
      TestRng pair_rng(seed_ * 1000003 + static_cast<std::uint64_t>((party + peer) * 10));
      pair_rng.fill(keys.pair[peer].span());
    }
    return keys;
  }

  // Returns shares of signed integers, one vector per party.
  std::array<FpVector, kParties> deal(const std::vector<i128>& values) {
    std::array<FpVector, kParties> out;
    for (auto& v : out) v.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const FpVector shares = shamir_split(Fp::from_signed(values[i]), 2, kParties, rng_);
      for (int party = 0; party < kParties; ++party) out[party][i] = shares[party];
    }
    return out;
  }

  // Returns the values of three degree-1 share vectors. Throws when three shares are not on one line.
  static std::vector<i128> reveal(const std::array<FpVector, kParties>& shares) {
    std::vector<i128> out;
    for (std::size_t i = 0; i < shares[0].size(); ++i) {
      const std::pair<int, Fp> points[] = {{1, shares[0][i]}, {2, shares[1][i]}, {3, shares[2][i]}};
      out.push_back(shamir_combine(points, 2).to_signed());
    }
    return out;
  }

  // Runs the body at the three parties and returns their results.
  template <typename Body>
  auto run(Body body) {
    using Result = std::invoke_result_t<Body, Session&>;
    std::array<Result, kParties> results;
    run_parties(*network_, [&](Channel& channel) {
      TestRng rng(seed_ * 31 + static_cast<std::uint64_t>(channel.self()));
      Session session(channel, 8, keys_for(channel.self()), rng, cancel_);
      session.set_comparison(comparison_);
      results[channel.self()] = body(session);
      transcripts_[channel.self()] = session.transcript();
    });
    return results;
  }

  const LoopbackNetwork& network() const { return *network_; }
  LoopbackNetwork& network() { return *network_; }
  const Transcript& transcript(int party) const { return transcripts_[party]; }
  TestRng& rng() { return rng_; }

 private:
  std::uint64_t seed_;
  ComparisonKind comparison_ = ComparisonKind::fast;
  TestRng rng_;
  LoopbackNetwork::Options options_;
  CancelToken cancel_;
  std::unique_ptr<LoopbackNetwork> network_;
  std::array<Transcript, kParties> transcripts_;
};

}  // namespace pgmpc
