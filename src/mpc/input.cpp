#include "mpc/input.h"

namespace pgmpc {

namespace {
// Returns this party's shares of one column. At a controller, also appends the other controller's shares of the own
// summands to out.
FpVector share_column(Session& session, const GateLabel& label, std::uint16_t part, std::span<const Fp> additive,
                      Bytes* out) {
  const int self = session.self();
  const std::size_t count = additive.size();
  FpVector shares(count);
  if (self == kThirdParty) {
    for (int owner = 0; owner < 2; ++owner) {
      const auto blocks = session.blocks(Purpose::input, owner, kThirdParty, label, 0, 1, count, part);
      for (std::size_t i = 0; i < count; ++i) shares[i] += Fp::reduce(blocks[i]);
    }
    return shares;
  }
  const auto blocks = session.blocks(Purpose::input, self, kThirdParty, label, 0, 1, count, part);
  const Fp per_point = inverse(Fp::from_int(kThirdParty + 1));
  const Fp own_point = Fp::from_int(self + 1), other_point = Fp::from_int(2 - self);
  for (std::size_t i = 0; i < count; ++i) {
    // f(0) = own summand and f(3) = PRF fix the line. The other controller gets the value of f at its point.
    const Fp slope = (Fp::reduce(blocks[i]) - additive[i]) * per_point;
    shares[i] = additive[i] + slope * own_point;
    append(*out, additive[i] + slope * other_point);
  }
  return shares;
}
}  // namespace

std::vector<FpVector> share_additive(Session& session, const GateLabel& label,
                                     std::span<const std::span<const Fp>> columns) {
  const int self = session.self();
  Exchange round{.phase = label.phase};
  std::vector<FpVector> shares;
  Bytes* out = self == kThirdParty ? nullptr : &round.out[1 - self];
  for (std::size_t part = 0; part < columns.size(); ++part)
    shares.push_back(share_column(session, label, static_cast<std::uint16_t>(part), columns[part], out));
  if (self != kThirdParty) round.expected[1 - self] = out->size();
  session.exchange(round);
  if (self == kThirdParty) return shares;
  std::size_t at = 0;
  for (FpVector& column : shares)
    for (Fp& share : column) share += element(round.in[1 - self], at++);
  return shares;
}

}  // namespace pgmpc
