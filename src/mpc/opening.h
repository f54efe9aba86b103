// Opens degree-1 sharings to parties, opens masked values of degree <= 2 to the two evaluators, and truncates.
//
// Terms
// c = x + 2^offset + R1 + R2, known to the evaluators. R1 = PRF(e1, dealer) and R2 = PRF(e2, dealer); the dealer knows
// both and never sees c. Coordinate j has dealer j mod 3.
//
// Invariants
// masked_open always adds the zero sharing itself (rule F4). |x| < 2^bound <= 2^offset. Each opening costs a
// statistical distance of 2^(bound+1-125), which the session counts. c never wraps modulo p.
//
// Source
// Opening: Shamir, CACM 1979. Masks and sharings of zero without messages: Cramer, Damgard, Ishai, TCC 2005. Truncation
// after Catrina and de Hoogh, SCN 2010, with two masks of which no evaluator knows both.
#pragma once
#include <span>
#include <vector>

#include "mpc/session.h"

namespace pgmpc {

inline int dealer_of(std::size_t coordinate) { return static_cast<int>(coordinate % kParties); }

// What one party holds after a masked opening of n values. Entries that this party does not know are 0.
struct Opened {
  int offset = 0;
  SecretVector<u128> c;   // at the evaluators
  SecretVector<u128> r1;  // at e1 and the dealer
  SecretVector<u128> r2;  // at e2 and the dealer
  std::size_t size() const { return c.size(); }
};

// Extra bytes that a dealer sends to each evaluator in the same round (comparison keys). Sizes are public.
struct DealerMessages {
  std::array<Bytes, kParties> out;                          // to each peer
  std::array<std::size_t, kParties> key_bytes = {0, 0, 0};  // how much of out, at the front, is comparison keys
  std::array<std::size_t, kParties> expected = {0, 0, 0};   // from each peer
  std::array<Bytes, kParties> in;
};

// values: this party's local, unweighted values of a polynomial of degree <= 2, |value| < 2^bound. One round.
// Two evaluators and three shares of degree 2 leave no share to check against. But an evaluator knows its own mask and
// the range of the other one, which is a quarter of the field. A message other than the sender's share is found in
// three of four coordinates: Error(inconsistent_shares).
Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values, int bound);

// The same for stretches of values with bounds of their own, each counted at its own width. That matters when many
// narrow values travel with a few wide ones. The counts (session.h) add up to values.size().
Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values,
                   std::span<const Stretch> bounds);

// The masks alone, as the dealer of a coordinate knows them before the opening. Comparison keys depend on nothing else.
struct Masks {
  SecretVector<u128> r1, r2;
};
Masks opening_masks(Session& session, const GateLabel& label, std::size_t count);
// offset: the opened value is x + 2^offset + R1 + R2. The session counts the bounds, which are <= offset.
Opened masked_open(Session& session, const GateLabel& label, std::span<const Fp> values, int offset,
                   std::span<const Stretch> bounds, Masks masks, DealerMessages* dealer);

// Returns shares (degree 1) of values[first .. first+count) / 2^shift, unbiased, with an error in (-1, 1] units. Sends
// no message. shift 0 is exact: it only reduces the degree.
FpVector truncated(Session& session, const Opened& opened, int shift, std::size_t first, std::size_t count);
inline FpVector truncated(Session& session, const Opened& opened, int shift) {
  return truncated(session, opened, shift, 0, opened.size());
}

// masked_open and truncated: a product (or inner product) and its truncation in one round.
FpVector truncate(Session& session, const GateLabel& label, std::span<const Fp> values, int shift, int bound);

// Opens degree-1 sharings to the parties of the bit set `recipients` (bit i = party i). One round. Every recipient
// checks the third share; Error(inconsistent_shares) names the phase and no value (rule F22). Returns the values at
// recipients, an empty vector elsewhere.
std::vector<Fp> open(Session& session, std::uint16_t phase, std::span<const Fp> shares, unsigned recipients = 7);

// Opens one sharing of 0 or 1 to all three parties. Another value throws Error(inconsistent_shares): only a wrong
// message or a wrong comparison key can have caused it.
bool open_bit(Session& session, std::uint16_t phase, std::span<const Fp> share);

}  // namespace pgmpc
