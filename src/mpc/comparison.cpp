#include "mpc/comparison.h"

#include "base/error.h"
#include "base/mutants.h"
#include "mpc/dealing.h"

namespace pgmpc {

// The gates of this file write their additive outputs through here; nobody else can.
struct DcfOutputWriter {
  static void set(DcfOutput& output, std::size_t gate, int k, Fp value) {
    output.value_[gate * output.per_gate_ + k] = value;
  }
};

namespace {
constexpr u128 one = 1;
constexpr u128 low_bits(u128 x, int bits) { return x & ((one << bits) - 1); }
constexpr unsigned sign_bit(u128 x) { return static_cast<unsigned>(x >> (kValueBits - 1)) & 1; }
Fp bit_value(unsigned bit) { return Fp::from_int(static_cast<std::int64_t>(bit & 1)); }
constexpr Fp kInversePoint[kParties] = {inverse(Fp::from_int(1)), inverse(Fp::from_int(2)), inverse(Fp::from_int(3))};
// bit ? a : b without a branch on shares (bit itself is a bit of the masked c, public to the evaluators).
Fp choose(unsigned bit, Fp a, Fp b) { return b + bit_value(bit) * (a - b); }
}  // namespace

FpVector reshare(Session& session, const GateLabel& label, DcfOutput output) {
  const int self = session.self();
  const std::size_t count = output.value_.size();
  // sent[peer]: this party deals its additive value by a polynomial through the PRF share of the other evaluator.
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
  Dealing dealing;
  dealing.shape = {kValueBits - 1, 1};
  dealing.constants = 1;
  dealing.secrets = [](u128 r1, u128 r2, u128& alpha, Fp* beta, Fp* constants) {
    const u128 r = r1 + r2;
    const unsigned s = sign_bit(r);
    alpha = low_bits(r, kValueBits - 1);
    beta[0] = Fp::from_int(1 - 2 * static_cast<int>(s));
    constants[0] = bit_value(s);
  };
  const Dealt dealt = open_with_keys(session, label, values, kCompareBound, kCompareBound, values.size(), dealing);
  const int points = static_cast<int>(thresholds.size());
  auto shifted = [&](std::size_t gate, int k) { return dealt.opened.c[gate] - static_cast<u128>(thresholds[k]); };
  const FpVector less = evaluate_keys(
      session, dealt, points, [&](std::size_t gate, int k) { return low_bits(shifted(gate, k), kValueBits - 1); });
  DcfOutput output(values.size(), points);
  for (std::size_t gate = 0; gate < values.size(); ++gate) {
    const int evaluator = dealt.evaluator(session.self(), gate);
    if (evaluator < 0) continue;
    for (int k = 0; k < points; ++k) {
      const Fp u = dealt.constants[gate] + less[gate * points + k];
      const Fp flipped = bit_value(evaluator == 0) - u;
      DcfOutputWriter::set(output, gate, k, choose(sign_bit(shifted(gate, k)), flipped, u));
    }
  }
  return reshare(session, label, std::move(output));
}

ReluResult relu_and_truncate(Session& session, const GateLabel& label, std::span<const Fp> values, std::size_t relus,
                             int shift, int cut, int bound, bool want_active) {
  const int domain = kValueBits - 1 - cut;
  Dealing dealing;
  dealing.shape = {domain, 2};
  dealing.constants = 2;
  dealing.secrets = [=](u128 r1, u128 r2, u128& alpha, Fp* beta, Fp* constants) {
    const u128 r = r1 + r2;
    const unsigned s = sign_bit(r);
    const Fp high = Fp::reduce((r1 >> shift) + (r2 >> shift)), sign = Fp::from_int(1 - 2 * static_cast<int>(s));
    alpha = low_bits(r, kValueBits - 1) >> cut;
    beta[0] = sign;
    beta[1] = sign * high;
    constants[0] = bit_value(s);
    constants[1] = bit_value(s) * high;
  };
  const Dealt dealt = open_with_keys(session, label, values, kCompareBound, bound, relus, dealing);
  const Opened& opened = dealt.opened;
  const FpVector less = evaluate_keys(
      session, dealt, 1, [&](std::size_t gate, int) { return low_bits(opened.c[gate], kValueBits - 1) >> cut; });
  const u128 half = shift > 0 ? one << (shift - 1) : 0;
  const Fp offset = Fp::reduce((one << kCompareBound) >> shift);
  const int per_gate = want_active ? 2 : 1;
  DcfOutput output(relus, per_gate);
  for (std::size_t gate = 0; gate < relus; ++gate) {
    const int evaluator = dealt.evaluator(session.self(), gate);
    if (evaluator < 0) continue;
    const unsigned top = sign_bit(opened.c[gate]);
    const Fp own_mask = Fp::reduce((evaluator == 0 ? opened.r1[gate] : opened.r2[gate]) >> shift);
    const Fp u = dealt.constants[2 * gate] + less[2 * gate];
    const Fp v = dealt.constants[2 * gate + 1] + less[2 * gate + 1];
    const Fp active = choose(top, bit_value(evaluator == 0) - u, u);
    const Fp masked = choose(top, own_mask - v, v);
    const Fp visible = Fp::reduce((opened.c[gate] - half) >> shift) - offset;
    DcfOutputWriter::set(output, gate, 0, active * visible - masked);
    if (want_active) DcfOutputWriter::set(output, gate, 1, active);
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
  Dealing dealing;
  dealing.shape = {shift, 1};
  dealing.constants = 1;
  dealing.secrets = [=](u128 r1, u128 r2, u128& alpha, Fp* beta, Fp* constants) {
    const u128 r = r1 + r2;
    alpha = low_bits(r, shift);
    beta[0] = Fp::from_int(1);
    constants[0] = Fp::reduce(r >> shift);
  };
  const Dealt dealt = open_with_keys(session, label, values, bound, bound, values.size(), dealing);
  const u128 half = one << (shift - 1);
  const FpVector less = evaluate_keys(
      session, dealt, 1, [&](std::size_t gate, int) { return low_bits(dealt.opened.c[gate] + half, shift); });
  DcfOutput output(values.size(), 1);
  for (std::size_t gate = 0; gate < values.size(); ++gate) {
    const int evaluator = dealt.evaluator(session.self(), gate);
    if (evaluator < 0) continue;
    Fp value = -(dealt.constants[gate] + less[gate]);
    if (evaluator == 0)
      value += Fp::reduce((dealt.opened.c[gate] + half) >> shift) - Fp::reduce((one << bound) >> shift);
    DcfOutputWriter::set(output, gate, 0, value);
  }
  return reshare(session, label, std::move(output));
}

}  // namespace pgmpc
