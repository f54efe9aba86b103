#include "mpc/opening.h"

#include <algorithm>

#include "base/error.h"
#include "base/mutants.h"

namespace pgmpc {

namespace {
// The number of coordinates j < count with j mod 3 == first.
std::size_t class_size(std::size_t count, int first) {
  return count > static_cast<std::size_t>(first) ? (count - first - 1) / kParties + 1 : 0;
}

// The distance from first to the next coordinate of that dealer.
std::size_t class_offset(std::size_t first, int dealer) {
  return (static_cast<std::size_t>(dealer) + kParties - first % kParties) % kParties;
}

// The two streams whose difference f(self, next) - f(previous, self) is this party's additive share of zero.
struct ZeroShares {
  SecretVector<u128> plus, minus;
};
ZeroShares zero_shares(Session& session, const GateLabel& label, std::size_t count) {
  const int self = session.self(), next = (self + 1) % kParties, previous = (self + 2) % kParties;
  return {session.blocks(Purpose::zero, self, next, label, 0, 1, count),
          session.blocks(Purpose::zero, previous, self, label, 0, 1, count)};
}

// sum += weight * x for the weights of Session::weight(), without a multiplication.
void add_weighted(FpSum& sum, Fp x, int self) {
  if (self == 2) return sum.add(x.v);
  for (int i = 0; i < 3; ++i)
    if (self == 0)
      sum.add(x.v);
    else
      sum.subtract(x.v);
}

Error inconsistent(std::string message) {
  return Error(ErrorCode::inconsistent_shares, std::move(message), {},
               "memory or software failed at one of the parties; start the study again");
}
}  // namespace

Masks opening_masks(Session& session, const GateLabel& label, std::size_t count) {
  Masks masks{SecretVector<u128>(count), SecretVector<u128>(count)};
  constexpr u128 kMask = (static_cast<u128>(1) << kMaskBits) - 1;
  auto draw = [&](SecretVector<u128>& out, int evaluator, int dealer) {
    if (session.self() != evaluator && session.self() != dealer) return;
    const auto blocks = session.blocks(Purpose::mask, evaluator, dealer, label, static_cast<std::uint32_t>(dealer),
                                       kParties, class_size(count, dealer));
    for (std::size_t i = 0; i < blocks.size(); ++i) out[dealer + i * kParties] = blocks[i] & kMask;
  };
  for (int dealer = 0; dealer < kParties; ++dealer) {
    draw(masks.r1, (dealer + 1) % kParties, dealer);
    draw(masks.r2, (dealer + 2) % kParties, dealer);
  }
  return masks;
}

Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values, int bound) {
  const Stretch all[] = {{values.size(), bound}};
  return masked_open(session, label, values, all);
}

Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values,
                   std::span<const Stretch> bounds) {
  int offset = 0;
  for (const Stretch& stretch : bounds) offset = std::max(offset, stretch.bound);
  return masked_open(session, label, values, offset, bounds, opening_masks(session, label, values.size()), nullptr);
}

Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values, int offset,
                   std::span<const Stretch> bounds, Masks masks, DealerMessages* dealer_messages) {
  const std::size_t count = values.size();
  const int self = session.self();
  session.book_opening(label, values, bounds);
  const ZeroShares zero = zero_shares(session, label, count);
  FpVector additive(count);
  Exchange round{.phase = label.phase};
  auto& out = round.out;
  auto& in = round.in;
  for (int peer = 0; peer < kParties; ++peer) {
    if (peer == self) continue;
    const std::size_t dealt = dealer_messages != nullptr ? dealer_messages->out[peer].size() : 0;
    out[peer].reserve((class_size(count, self) + class_size(count, 3 - peer - self)) * kFpBytes + dealt + kMessageRoom);
  }
  for (std::size_t j = 0; j < count; ++j) {
    const int dealer = dealer_of(j), e1 = (dealer + 1) % kParties, e2 = (dealer + 2) % kParties;
    FpSum sum;
    add_weighted(sum, values[j], self);
    sum.add(zero.plus[j]);
    sum.subtract(zero.minus[j]);
    if (self != dealer) sum.add(self == e1 ? masks.r1[j] : masks.r2[j]);
    additive[j] = sum.value();
    if (self == dealer) {
      append(out[e1], additive[j]);
      append(out[e2], additive[j]);
    } else {
      append(out[self == e1 ? e2 : e1], additive[j]);
    }
  }
  std::array<std::size_t, kParties> elements{};
  for (int peer = 0; peer < kParties; ++peer) {
    if (peer == self) continue;
    // This peer sends the coordinates that it deals, and those that the remaining party deals.
    elements[peer] = class_size(count, peer) + class_size(count, 3 - peer - self);
    round.expected[peer] = elements[peer] * kFpBytes;
    if (dealer_messages != nullptr) {
      round.expected[peer] += dealer_messages->expected[peer];
      round.key_bytes += dealer_messages->key_bytes[peer];
      out[peer].insert(out[peer].end(), dealer_messages->out[peer].begin(), dealer_messages->out[peer].end());
    }
  }
  session.exchange(round);
  Opened opened;
  opened.offset = offset;
  opened.c.resize(count);
  // c - own mask = x + 2^offset + the other mask. A value outside that range is not the sum of three right messages.
  const u128 most = (static_cast<u128>(1) << kMaskBits) + (static_cast<u128>(1) << (offset + 1));
  const Fp shift = Fp::reduce(static_cast<u128>(1) << offset);
  bool in_range = true;
  std::array<std::size_t, kParties> at{};
  for (std::size_t j = 0; j < count; ++j) {
    const int dealer = dealer_of(j);
    if (self == dealer) continue;
    const int other = 3 - dealer - self;
    const Fp sum = additive[j] + element(in[dealer], at[dealer]++) + element(in[other], at[other]++);
    const Fp c = sum + shift;
    const Fp own_mask = Fp::reduce(self == (dealer + 1) % kParties ? masks.r1[j] : masks.r2[j]);
    in_range &= (c - own_mask).v <= most;
    opened.c[j] = c.v;
  }
  if (!in_range && !mutant(Mutant::unchecked_openings))
    throw inconsistent("the masked values opened in phase " + session.phase_name(label.phase) + " are out of range");
  if (dealer_messages != nullptr)
    for (int peer = 0; peer < kParties; ++peer)
      if (peer != self)
        dealer_messages->in[peer].assign(in[peer].begin() + static_cast<std::ptrdiff_t>(elements[peer] * kFpBytes),
                                         in[peer].end());
  opened.r1 = std::move(masks.r1);
  opened.r2 = std::move(masks.r2);
  return opened;
}

FpVector truncated(Session& session, const Opened& opened, int shift, std::size_t first, std::size_t count) {
  const int self = session.self();
  // Subtracting half a unit before the shift makes the sum of the three roundings unbiased.
  const u128 half = shift > 0 ? static_cast<u128>(1) << (shift - 1) : 0;
  const u128 offset = (static_cast<u128>(1) << opened.offset) >> shift;
  FpVector out(count);
  for (int dealer = 0; dealer < kParties; ++dealer) {
    // Two parties know each part, so its polynomial vanishes at the third one: here at e2, at e1 and at the dealer.
    const int e1 = (dealer + 1) % kParties, e2 = (dealer + 2) % kParties;
    const u128 factor1 = Session::vanishing_factor(self, e2).v, factor2 = Session::vanishing_factor(self, e1).v;
    const u128 visible = Session::vanishing_factor(self, dealer).v;
    const Fp known = Fp::reduce(multiply_folded(offset, visible));
    for (std::size_t j = first + class_offset(first, dealer); j < first + count; j += kParties) {
      FpSum share;
      if (self != dealer) {
        share.add(multiply_folded((opened.c[j] - half) >> shift, visible));
        share.subtract(known.v);
      }
      if (self != e2) share.subtract(multiply_folded(opened.r1[j] >> shift, factor1));
      if (self != e1) share.subtract(multiply_folded(opened.r2[j] >> shift, factor2));
      out[j - first] = share.value();
    }
  }
  return out;
}

FpVector truncate(Session& session, const GateLabel& label, std::span<const Fp> values, int shift, int bound) {
  return truncated(session, masked_open(session, label, values, bound), shift);
}

std::vector<Fp> open(Session& session, std::uint16_t phase, std::span<const Fp> shares, unsigned recipients) {
  const int self = session.self();
  const bool receives = (recipients >> self & 1) != 0;
  Exchange round{.phase = phase};
  for (int peer = 0; peer < kParties; ++peer) {
    if (peer == self) continue;
    if (recipients >> peer & 1)
      for (const Fp& share : shares) append(round.out[peer], share);
    if (receives) round.expected[peer] = shares.size() * kFpBytes;
  }
  session.exchange(round);
  if (!receives) return {};
  std::vector<Fp> values(shares.size());
  const Fp half = inverse(Fp::from_int(2));
  bool consistent = true;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    std::array<Fp, kParties> f;
    for (int party = 0; party < kParties; ++party) f[party] = party == self ? shares[i] : element(round.in[party], i);
    values[i] = f[0] + f[0] - f[1];                       // line through points 1 and 2, at 0
    const Fp check = (f[0] + f[0] + f[0] - f[2]) * half;  // line through points 1 and 3
    consistent &= values[i] == check;
  }
  if (!consistent && !mutant(Mutant::unchecked_openings))
    throw inconsistent("the shares opened in phase " + session.phase_name(phase) + " do not agree");
  return values;
}

bool open_bit(Session& session, std::uint16_t phase, std::span<const Fp> share) {
  const Fp value = open(session, phase, share).at(0);
  const bool set = value == Fp::from_int(1);
  if (!set && !(value == Fp{}) && !mutant(Mutant::unchecked_openings))
    throw inconsistent("the bit opened in phase " + session.phase_name(phase) + " is neither 0 nor 1");
  return set;
}

}  // namespace pgmpc
