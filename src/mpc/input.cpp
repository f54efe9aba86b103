#include "mpc/input.h"

namespace pgmpc {

FpVector share_additive(Session& session, const GateLabel& label, std::uint16_t part, std::span<const Fp> additive) {
  const int self = session.self();
  const std::size_t count = additive.size();
  FpVector shares(count);
  Exchange round;
  auto& [out, in, expected] = round;
  if (self == kThirdParty) {
    for (int owner = 0; owner < 2; ++owner) {
      const auto blocks = session.blocks(Purpose::input, owner, kThirdParty, label, 0, 1, count, part);
      for (std::size_t i = 0; i < count; ++i) shares[i] += Fp::reduce(blocks[i]);
    }
  } else {
    const int other = 1 - self;
    const auto blocks = session.blocks(Purpose::input, self, kThirdParty, label, 0, 1, count, part);
    const Fp per_point = inverse(Fp::from_int(kThirdParty + 1));
    for (std::size_t i = 0; i < count; ++i) {
      // f(0) = own summand, f(3) = PRF: the line is fixed, the other controller gets its value there.
      const Fp slope = (Fp::reduce(blocks[i]) - additive[i]) * per_point;
      shares[i] = additive[i] + slope * Fp::from_int(self + 1);
      append(out[other], additive[i] + slope * Fp::from_int(other + 1));
    }
    expected[other] = count * kFpBytes;
  }
  session.exchange(round);
  if (self != kThirdParty)
    for (std::size_t i = 0; i < count; ++i) shares[i] += element(in[1 - self], i);
  return shares;
}

}  // namespace pgmpc
