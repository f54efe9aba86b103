#include "mpc/dealing.h"

namespace pgmpc {

std::vector<std::size_t> gates_of(int dealer, std::size_t gates) {
  std::vector<std::size_t> out;
  for (std::size_t g = static_cast<std::size_t>(dealer); g < gates; g += kParties) out.push_back(g);
  return out;
}

int evaluator_of(int self, std::size_t gate) {
  const int dealer = dealer_of(gate);
  return self == dealer ? -1 : (self == (dealer + 1) % kParties ? 0 : 1);
}

namespace {
// Puts keys and constants of the gates that this party deals into the messages to its two evaluators.
DealerMessages messages_of(Session& session, const GateLabel& label, const Masks& masks, std::size_t gates,
                           const DealtSizes& sizes, const Deal& deal) {
  const int self = session.self(), e1 = (self + 1) % kParties, e2 = (self + 2) % kParties;
  DealerMessages messages;
  const auto own = gates_of(self, gates);
  FpVector shared(own.size() * sizes.constants);
  deal(own, masks, messages.out[e1], messages.out[e2], shared);
  for (int evaluator : {e1, e2}) messages.key_bytes[evaluator] = messages.out[evaluator].size();
  const auto halves = session.blocks(Purpose::key_share, self, e1, label, 0, 1, shared.size());
  for (std::size_t i = 0; i < shared.size(); ++i) append(messages.out[e2], shared[i] - Fp::reduce(halves[i]));
  for (int dealer = 0; dealer < kParties; ++dealer) {
    if (dealer == self) continue;
    const std::size_t count = gates_of(dealer, gates).size();
    messages.expected[dealer] =
        self == (dealer + 1) % kParties ? count * sizes.first : count * (sizes.second + sizes.constants * kFpBytes);
  }
  return messages;
}
}  // namespace

Dealt open_with_keys(Session& session, const GateLabel& label, std::span<const Fp> values, int offset, int bound,
                     std::size_t gates, const DealtSizes& sizes, const Deal& deal) {
  const int self = session.self();
  Dealt dealt;
  dealt.constants.resize(gates * sizes.constants);
  Masks masks = opening_masks(session, label, values.size());
  DealerMessages messages = messages_of(session, label, masks, gates, sizes, deal);
  const Stretch all[] = {{values.size(), bound}};
  dealt.opened = masked_open(session, label, values, offset, all, std::move(masks), &messages);
  for (int dealer = 0; dealer < kParties; ++dealer) {
    if (dealer == self) continue;
    const auto dealt_gates = gates_of(dealer, gates);
    const bool first = self == (dealer + 1) % kParties;
    const std::size_t key_size = dealt_gates.size() * (first ? sizes.first : sizes.second);
    const std::size_t constants = dealt_gates.size() * sizes.constants;
    SecretVector<u128> halves;
    if (first) halves = session.blocks(Purpose::key_share, dealer, self, label, 0, 1, constants);
    for (std::size_t i = 0; i < constants; ++i) {
      const std::size_t gate = dealt_gates[i / sizes.constants];
      dealt.constants[gate * sizes.constants + i % sizes.constants] =
          first ? Fp::reduce(halves[i]) : load(messages.in[dealer].data() + key_size + i * kFpBytes);
    }
    messages.in[dealer].resize(key_size);
    dealt.keys[dealer] = std::move(messages.in[dealer]);
  }
  return dealt;
}

}  // namespace pgmpc
