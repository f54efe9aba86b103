#include "mpc/comparison.h"

#include "base/error.h"
#include "base/mutants.h"
#include "mpc/dealing.h"
#include "mpc/threshold.h"

namespace pgmpc {

// The gates of this file write their additive outputs through this class; no other code can.
struct GateOutputWriter {
  static void set(GateOutput& output, std::size_t gate, int k, Fp value) {
    output.value_[gate * output.per_gate_ + k] = value;
  }
};

namespace {
constexpr u128 one = 1;
constexpr u128 low_bits(u128 x, int bits) { return x & ((one << bits) - 1); }
constexpr unsigned sign_bit(u128 x) { return static_cast<unsigned>(x >> (kValueBits - 1)) & 1; }
Fp bit_value(unsigned bit) { return Fp::from_int(static_cast<std::int64_t>(bit & 1)); }
constexpr Fp kInversePoint[kParties] = {inverse(Fp::from_int(1)), inverse(Fp::from_int(2)), inverse(Fp::from_int(3))};
// Returns bit ? a : b without a branch on shares. bit is a bit of the masked c, which is public to the evaluators.
Fp choose(unsigned bit, Fp a, Fp b) { return b + bit_value(bit) * (a - b); }
}  // namespace

FpVector reshare(Session& session, const GateLabel& label, GateOutput output) {
  const int self = session.self();
  const std::size_t count = output.value_.size();
  // This party deals its additive value by a polynomial through the PRF share of the other evaluator.
  std::array<SecretVector<u128>, kParties> to, from;
  for (int peer = 0; peer < kParties; ++peer) {
    if (peer == self) continue;
    to[peer] = session.blocks(Purpose::reshare, self, peer, label, 0, 1, count);
    if (mutant(Mutant::reshare_one_label))
      from[peer] = to[peer].clone();
    else
      from[peer] = session.blocks(Purpose::reshare, peer, self, label, 0, 1, count);
  }
  Exchange round{.phase = label.phase};
  auto& out = round.out;
  auto& expected = round.expected;
  FpVector shares(count);
  for (int peer = 0; peer < kParties; ++peer)
    if (peer != self)
      out[peer].reserve((count / kParties + static_cast<std::size_t>(output.per_gate_)) * kFpBytes + kMessageRoom);
  for (std::size_t i = 0; i < count; ++i) {
    const int dealer = dealer_of(i / output.per_gate_);
    if (self == dealer) {
      for (int peer = 0; peer < kParties; ++peer)
        if (peer != self) expected[peer] += kFpBytes;
      continue;
    }
    const int other = 3 - dealer - self;
    const Fp value = output.value_[i];
    const Fp slope = (Fp::reduce(to[other][i]) - value) * kInversePoint[other];
    shares[i] = value + slope * Fp::from_int(self + 1) + Fp::reduce(from[other][i]);
    append(out[dealer], value + slope * Fp::from_int(dealer + 1));
  }
  session.exchange(round);
  std::array<std::size_t, kParties> at{};
  for (std::size_t i = 0; i < count; ++i) {
    if (dealer_of(i / output.per_gate_) != self) continue;
    for (int peer = 0; peer < kParties; ++peer)
      if (peer != self) shares[i] += element(round.in[peer], at[peer]++);
  }
  return shares;
}

FpVector at_least(Session& session, const GateLabel& label, std::span<const Fp> values,
                  std::span<const i128> thresholds) {
  const int points = static_cast<int>(thresholds.size());
  const auto shifted = [&](u128 c, int k) { return c - static_cast<u128>(thresholds[static_cast<std::size_t>(k)]); };
  ThresholdGate comparison;
  comparison.domain = kValueBits - 1;
  comparison.points = points;
  comparison.secrets = [](u128 r1, u128 r2) {
    const u128 r = r1 + r2;
    return ThresholdSecrets{low_bits(r, kValueBits - 1), sign_bit(r), {}};
  };
  comparison.x = [&](u128 c, int k) { return low_bits(shifted(c, k), kValueBits - 1); };
  const Compared compared = compare(session, label, values, kCompareBound, kCompareBound, values.size(), comparison);
  GateOutput output(values.size(), points);
  for (std::size_t gate = 0; gate < values.size(); ++gate) {
    const int evaluator = evaluator_of(session.self(), gate);
    if (evaluator < 0) continue;
    for (int k = 0; k < points; ++k) {
      const Fp u = compared.bits[gate * points + k];
      const Fp flipped = bit_value(evaluator == 0) - u;
      GateOutputWriter::set(output, gate, k, choose(sign_bit(shifted(compared.opened.c[gate], k)), flipped, u));
    }
  }
  return reshare(session, label, std::move(output));
}

ReluResult relu_and_truncate(Session& session, const GateLabel& label, std::span<const Fp> values, std::size_t relus,
                             int shift, int cut, int bound, bool want_active) {
  ThresholdGate comparison;
  comparison.domain = kValueBits - 1 - cut;
  comparison.factor_shift = shift;
  comparison.secrets = [=](u128 r1, u128 r2) {
    const u128 r = r1 + r2;
    return ThresholdSecrets{low_bits(r, kValueBits - 1) >> cut, sign_bit(r), {}};
  };
  comparison.x = [=](u128 c, int) { return low_bits(c, kValueBits - 1) >> cut; };
  const Compared compared = compare(session, label, values, kCompareBound, bound, relus, comparison);
  const Opened& opened = compared.opened;
  const u128 half = shift > 0 ? one << (shift - 1) : 0;
  const Fp offset = Fp::reduce((one << kCompareBound) >> shift);
  const int per_gate = want_active ? 2 : 1;
  GateOutput output(relus, per_gate);
  for (std::size_t gate = 0; gate < relus; ++gate) {
    const int evaluator = evaluator_of(session.self(), gate);
    if (evaluator < 0) continue;
    const unsigned top = sign_bit(opened.c[gate]);
    const Fp own_mask = Fp::reduce((evaluator == 0 ? opened.r1[gate] : opened.r2[gate]) >> shift);
    const Fp u = compared.bits[gate], v = compared.products[gate];
    const Fp active = choose(top, bit_value(evaluator == 0) - u, u);
    const Fp masked = choose(top, own_mask - v, v);
    const Fp visible = Fp::reduce((opened.c[gate] - half) >> shift) - offset;
    GateOutputWriter::set(output, gate, 0, active * visible - masked);
    if (want_active) GateOutputWriter::set(output, gate, 1, active);
  }
  const FpVector shares = reshare(session, label, std::move(output));
  ReluResult result;
  result.relu.resize(relus);
  if (want_active) result.active.resize(relus);
  for (std::size_t gate = 0; gate < relus; ++gate) {
    result.relu[gate] = shares[gate * per_gate];
    if (want_active) result.active[gate] = shares[gate * per_gate + 1];
  }
  result.rest = truncated(session, opened, shift, relus, values.size() - relus);
  return result;
}

FpVector exact_truncate(Session& session, const GateLabel& label, std::span<const Fp> values, int shift, int bound) {
  if (mutant(Mutant::inexact_release)) return truncate(session, label, values, shift, bound);
  const u128 half = one << (shift - 1);
  ThresholdGate comparison;
  comparison.domain = shift;
  comparison.has_base = true;
  comparison.secrets = [=](u128 r1, u128 r2) {
    const u128 r = r1 + r2;
    return ThresholdSecrets{low_bits(r, shift), 0, Fp::reduce(r >> shift)};
  };
  comparison.x = [=](u128 c, int) { return low_bits(c + half, shift); };
  const Compared compared = compare(session, label, values, bound, bound, values.size(), comparison);
  GateOutput output(values.size(), 1);
  for (std::size_t gate = 0; gate < values.size(); ++gate) {
    const int evaluator = evaluator_of(session.self(), gate);
    if (evaluator < 0) continue;
    Fp value = -compared.bits[gate];
    if (evaluator == 0)
      value += Fp::reduce((compared.opened.c[gate] + half) >> shift) - Fp::reduce((one << bound) >> shift);
    GateOutputWriter::set(output, gate, 0, value);
  }
  return reshare(session, label, std::move(output));
}

}  // namespace pgmpc
