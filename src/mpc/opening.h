// What: opening of degree-1 sharings, masked opening of values of degree <= 2 to the two evaluators, and truncation.
//
// Source:
// Opening: Shamir, CACM 1979. Masks and sharings of zero without messages: Cramer, Damgard, Ishai, TCC 2005. Truncation
// after Catrina and de Hoogh, SCN 2010, with two masks of which no evaluator knows both.
//
// Terms:
// c = x + 2^offset + R1 + R2, known to the evaluators; R1 = PRF(e1, dealer), R2 = PRF(e2, dealer), both known to the
// dealer, who never sees c. Coordinate j has dealer j mod 3.
//
// Invariants:
// masked_open always adds the zero sharing itself (rule F4); |x| < 2^bound <= 2^offset, and each opening costs a
// statistical distance of 2^(bound+1-125), booked by the session; c never wraps modulo p.
#pragma once
#include <span>
#include <vector>

#include "mpc/session.h"

namespace pgmpc {

inline int dealer_of(std::size_t coordinate) { return static_cast<int>(coordinate % kParties); }

// What one party holds after a masked opening of n values. Entries this party does not know are 0.
struct Opened {
  int offset = 0;
  SecretVector<u128> c;   // at the evaluators
  SecretVector<u128> r1;  // at e1 and the dealer
  SecretVector<u128> r2;  // at e2 and the dealer
  std::size_t size() const { return c.size(); }
};

// Extra bytes a dealer sends to each evaluator in the same round (comparison keys). Sizes are public.
struct DealerMessages {
  std::array<Bytes, kParties> out;                          // to each peer
  std::array<std::size_t, kParties> key_bytes = {0, 0, 0};  // of out: comparison keys, at the front
  std::array<std::size_t, kParties> expected = {0, 0, 0};   // from each peer
  std::array<Bytes, kParties> in;
};

// values: this party's local values of a polynomial of degree <= 2 (unweighted), |value| < 2^bound. One round.
// Two evaluators and three shares of degree 2: nothing is left over to check them against. But an evaluator knows its
// own mask and the range of the other one, a quarter of the field: a message of anything else than the sender's share
// is found in three of four coordinates, Error(inconsistent_shares).
Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values, int bound);

// The same where stretches of the values have bounds of their own: each is booked at its own width, which matters where
// many narrow values travel with a few wide ones. The counts (session.h) add up to values.size().
Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values,
                   std::span<const Stretch> bounds);

// Masks only, as the dealer of a coordinate sees them before the opening (comparison keys depend on nothing else).
struct Masks {
  SecretVector<u128> r1, r2;
};
Masks opening_masks(Session& session, const GateLabel& label, std::size_t count);
// offset: the opened value is x + 2^offset + R1 + R2; bounds <= offset are what the session books.
Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values, int offset,
                   std::span<const Stretch> bounds, Masks masks, DealerMessages* dealer);

// Shares (degree 1) of values[first .. first+count) / 2^shift, error in (-1, 1] units, unbiased. No message. shift 0 is
// exact: a pure reduction of the degree.
FpVector truncated(Session& session, const Opened& opened, int shift, std::size_t first, std::size_t count);
inline FpVector truncated(Session& session, const Opened& opened, int shift) {
  return truncated(session, opened, shift, 0, opened.size());
}

// masked_open + truncated: product (or inner product) and truncation in one round.
FpVector truncate(Session& session, const GateLabel& label, std::span<const Fp> values, int shift, int bound);

// Opens degree-1 sharings to the parties of the bit set `recipients` (bit i = party i). One round. Everybody who
// receives checks the third share; Error(inconsistent_shares) names the phase and no value (rule F22).
// Returns the values at recipients, an empty vector elsewhere.
std::vector<Fp> open(Session& session, std::uint16_t phase, std::span<const Fp> shares, unsigned recipients = 7);

// Opens one sharing of 0 or 1 to all three. Another value is an Error(inconsistent_shares): only a wrong message or a
// wrong comparison key on the way to it can have made it.
bool open_bit(Session& session, std::uint16_t phase, std::span<const Fp> share);

}  // namespace pgmpc
