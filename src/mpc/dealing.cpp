#include "mpc/dealing.h"

#include "base/witness.h"
#include "crypto/keyed_hash.h"

namespace pgmpc {

namespace {
std::vector<std::size_t> gates_of(int dealer, std::size_t gates) {
  std::vector<std::size_t> out;
  for (std::size_t g = static_cast<std::size_t>(dealer); g < gates; g += kParties) out.push_back(g);
  return out;
}

Dcf generator(Session& session) {
  // Fixed public key of the attempt: HKDF of the sid keeps it apart from every other use of the sid.
  const SecretBytes key = hkdf(session.sid(), {}, "pg_mpc dcf", 16);
  return Dcf(view_of(key));
}

// Keys and constants of the gates this party deals, into the messages to its two evaluators.
void deal(Session& session, const GateLabel& label, const Masks& masks, std::size_t gates, const Dealing& dealing,
          DealerMessages& messages) {
  const int self = session.self(), e1 = (self + 1) % kParties, e2 = (self + 2) % kParties;
  const auto own = gates_of(self, gates);
  const auto constants = static_cast<std::size_t>(dealing.constants);
  SecretVector<u128> alphas(own.size());
  FpVector betas(own.size() * dealing.shape.width), shared(own.size() * constants);
  for (std::size_t i = 0; i < own.size(); ++i)
    dealing.secrets(masks.r1[own[i]], masks.r2[own[i]], alphas[i], &betas[i * dealing.shape.width],
                    shared.data() + i * constants);
  Dcf(generator(session)).generate(dealing.shape, alphas, betas, session.rng(), messages.out[e1], messages.out[e2]);
  for (int evaluator : {e1, e2}) messages.key_bytes[evaluator] = messages.out[evaluator].size();
  if (!messages.out[e1].empty()) witness("DCF seed", ByteView(messages.out[e1]).first(16));
  const auto halves = session.blocks(Purpose::key_share, self, e1, label, 0, 1, shared.size());
  for (std::size_t i = 0; i < shared.size(); ++i) append(messages.out[e2], shared[i] - Fp::reduce(halves[i]));
}
}  // namespace

Dealt open_with_keys(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                     std::size_t gates, const Dealing& dealing) {
  const int self = session.self();
  Dealt dealt;
  dealt.gates = gates;
  dealt.shape = dealing.shape;
  dealt.constants_per_gate = dealing.constants;
  dealt.constants.resize(gates * dealing.constants);
  Masks masks = opening_masks(session, label, values.size());
  DealerMessages messages;
  deal(session, label, masks, gates, dealing, messages);
  for (int dealer = 0; dealer < kParties; ++dealer) {
    if (dealer == self) continue;
    const std::size_t count = gates_of(dealer, gates).size();
    messages.expected[dealer] = count * dealing.shape.key_bytes();
    if (self == (dealer + 2) % kParties) messages.expected[dealer] += count * dealing.constants * kFpBytes;
  }
  const Stretch all[] = {{values.size(), bound}};
  dealt.opened = masked_open(session, label, values, offset, all, std::move(masks), &messages);
  for (int dealer = 0; dealer < kParties; ++dealer) {
    if (dealer == self) continue;
    const auto dealt_gates = gates_of(dealer, gates);
    const std::size_t key_size = dealt_gates.size() * dealing.shape.key_bytes();
    const bool first = self == (dealer + 1) % kParties;
    SecretVector<u128> halves;
    if (first)
      halves = session.blocks(Purpose::key_share, dealer, self, label, 0, 1, dealt_gates.size() * dealing.constants);
    for (std::size_t i = 0; i < dealt_gates.size() * dealing.constants; ++i) {
      const std::size_t gate = dealt_gates[i / dealing.constants];
      dealt.constants[gate * dealing.constants + i % dealing.constants] =
          first ? Fp::reduce(halves[i]) : load(messages.in[dealer].data() + key_size + i * kFpBytes);
    }
    messages.in[dealer].resize(key_size);
    dealt.keys[dealer] = std::move(messages.in[dealer]);
  }
  return dealt;
}

FpVector evaluate_keys(Session& session, const Dealt& dealt, int points,
                       const std::function<u128(std::size_t gate, int point)>& x) {
  const std::size_t per_gate = static_cast<std::size_t>(points) * dealt.shape.width;
  FpVector out(dealt.gates * per_gate);
  Dcf dcf = generator(session);
  for (int dealer = 0; dealer < kParties; ++dealer) {
    if (dealer == session.self()) continue;
    const auto gates = gates_of(dealer, dealt.gates);
    std::vector<u128> xs;
    xs.reserve(gates.size() * points);
    for (std::size_t gate : gates)
      for (int k = 0; k < points; ++k) xs.push_back(x(gate, k));
    const int evaluator = session.self() == (dealer + 1) % kParties ? 0 : 1;
    const FpVector part = dcf.evaluate(dealt.shape, evaluator, dealt.keys[dealer], xs, points);
    for (std::size_t i = 0; i < gates.size(); ++i)
      for (std::size_t k = 0; k < per_gate; ++k) out[gates[i] * per_gate + k] = part[i * per_gate + k];
  }
  return out;
}

}  // namespace pgmpc
