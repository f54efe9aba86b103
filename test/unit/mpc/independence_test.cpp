// What each single party sees at each gate is independent of the secrets.
// The views of many runs with one secret and of many with another are compared by chi-square, alpha 1e-6 for each gate.
// When a mask is left out, gate by gate and mask by mask, the same seeds must distinguish the two secrets. Otherwise
// the comparison would have no power.
// A view is every byte that is sent, by its place in the message. It also has what a party can compute from it with its
// shares, its own mask and the opened value, in the combinations that would reveal the secret.
#include <gtest/gtest.h>

#include <algorithm>

#include "mpc/comparison.h"
#include "mpc/dcf.h"
#include "mpc/input.h"
#include "mpc/opening.h"
#include "mpc/truth_table.h"
#include "support/mpc_harness.h"
#include "support/two_samples.h"

namespace pgmpc {
namespace {

constexpr std::size_t kPerDealer = 32, kGates = kParties * kPerDealer;  // gates of one run
constexpr int kRuns = 32;
constexpr double kAlpha = 1e-6;
constexpr GateLabel kLabel{9, 0, 1}, kSecond{9, 0, 2};
constexpr u128 one = 1;

unsigned top_bits(u128 x, int width) { return static_cast<unsigned>(x >> (width - 4)) & 15; }
unsigned low_bits(u128 x) { return static_cast<unsigned>(x) & 15; }

struct Gate {
  std::string name;
  std::array<i128, 2> secrets;
  // One run of the gate on kGates shares of the secret. Returns the shares that entered the probed opening.
  std::function<FpVector(Session&, FpVector, Fp secret)> body;
  // Per message number: record sizes of its segments. The last segment of an opening with keys goes to e2 only.
  std::vector<std::vector<std::size_t>> layout;
  std::vector<Mutant> mutants;
  int opening = -1;  // message number of the masked opening to probe, its label and offset
  GateLabel label = kLabel;
  int offset = 0;
  int constants = 0, constants_shift = 0;  // beside its keys; the last one is R >> constants_shift if that is not 0
  int results = -1;                        // by truth tables: message number of the masked results
  int reshare = -1;                        // message number, elements per gate
  int per_gate = 1;
};

// One run of a gate: its messages, and what else each party holds.
class GateRun {
 public:
  GateRun(const Gate& gate, int sample, int run, TwoSamples& out)
      : gate_(gate),
        sample_(sample),
        out_(out),
        harness_(static_cast<std::uint64_t>(20000 + 1000 * sample + run), true) {
    const auto shares = harness_.deal(std::vector<i128>(kGates, gate.secrets[sample]));
    inputs_ = harness_.run(
        [&](Session& s) { return gate_.body(s, shares[s.self()].clone(), Fp::from_signed(gate_.secrets[sample])); });
    for (const RecordedMessage& m : harness_.network().recording()) messages_[m.from][m.to].push_back(m.bytes);
  }

  void look() {
    for (int from = 0; from < kParties; ++from)
      for (int to = 0; to < kParties; ++to)
        for (std::size_t k = 0; k < messages_[from][to].size(); ++k) every_byte(from, to, k);
    for (int self = 0; self < kParties; ++self) {
      if (gate_.opening >= 0) as_evaluator(self);
      if (gate_.reshare >= 0) as_dealer(self);
    }
  }

 private:
  void add(const std::string& name, int party, unsigned cell, bool uniform) {
    out_.add(sample_, out_.feature(name + " at party " + std::to_string(party), 16, uniform), cell);
  }
  void add_element(const std::string& name, int party, Fp x) {
    add(name + ", top bits", party, top_bits(x.v, 127), true);
    add(name + ", low bits", party, low_bits(x.v), true);
  }

  void every_byte(int from, int to, std::size_t k) {
    const Bytes& bytes = messages_[from][to][k];
    std::size_t at = 0;
    for (std::size_t segment = 0; segment < gate_.layout.at(k).size() && at < bytes.size(); ++segment) {
      const std::size_t record = gate_.layout[k][segment];
      const std::size_t id = out_.feature("byte of message " + std::to_string(k) + " from " + std::to_string(from) +
                                              " to " + std::to_string(to) + ", segment " + std::to_string(segment),
                                          16, false, 2 * record);
      for (std::size_t g = 0; g < kPerDealer; ++g)
        for (std::size_t i = 0; i < record; ++i, ++at) {
          out_.add(sample_, id + 2 * i, bytes.at(at) & 15u);
          out_.add(sample_, id + 2 * i + 1, bytes[at] >> 4);
        }
    }
    if (at != bytes.size()) throw std::runtime_error("the layout of " + gate_.name + " does not describe its messages");
  }

  Fp sent(int from, int to, std::size_t index) const { return element(messages_[from][to].at(gate_.opening), index); }

  // The probed opening: x = this party's polynomial at 0 if a message were an unmasked share; c without the own mask;
  // c beside the dealer's constants.
  void as_evaluator(int self) {
    const FpVector& own = inputs_[self];
    LoopbackNetwork unused;
    TestRng rng(1);
    CancelToken cancel;
    Session session(unused.party(self), 8, harness_.keys_for(self), rng, cancel);
    const Masks masks = opening_masks(session, gate_.label, own.size());
    std::array<std::size_t, kParties> at{};  // next element of the message from (and to) each peer
    std::array<std::size_t, kParties> dealt{};
    for (std::size_t j = 0; j < own.size(); ++j) {
      const int dealer = dealer_of(j), other = 3 - dealer - self;
      if (self == dealer) {
        for (int peer = 0; peer < kParties; ++peer)
          if (peer != self) ++at_out_[self][peer];
        continue;
      }
      const bool first = self == (dealer + 1) % kParties;
      const Fp from_dealer = sent(dealer, self, at[dealer]++), from_other = sent(other, self, at[other]++);
      const Fp mine = sent(self, other, at_out_[self][other]++);
      const std::string role = first ? "first evaluator: " : "second evaluator: ";
      add_element(role + "element of the dealer", self, from_dealer);
      add_element(role + "element of the other evaluator", self, from_other);
      add_element(role + "secret if the dealer's message were its share", self,
                  line(from_dealer, dealer, own[j], self));
      add_element(role + "secret if the other's message were its share", self, line(from_other, other, own[j], self));
      const Fp c = mine + from_dealer + from_other + Fp::reduce(one << gate_.offset);
      const Fp without_own = c - Fp::reduce(first ? masks.r1[j] : masks.r2[j]);
      add(role + "opened value without the own mask, top bits", self, top_bits(without_own.v, kMaskBits), true);
      add(role + "opened value without the own mask, low bits", self, low_bits(without_own.v), true);
      if (j < kGates && gate_.results >= 0) beside_tables(self, dealer, j / kParties, first, c);
      if (!first && gate_.constants > 0 && j < kGates) beside_constants(self, dealer, dealt[dealer]++, c);
    }
  }

  void beside_constants(int self, int dealer, std::size_t gate, Fp c) {
    const Bytes& bytes = messages_[dealer][self].at(gate_.opening);
    const std::size_t base = bytes.size() - kPerDealer * gate_.constants * kFpBytes;
    const auto constant = [&](int k) { return load(bytes.data() + base + (gate * gate_.constants + k) * kFpBytes); };
    const unsigned sign_and_top = static_cast<unsigned>(c.v >> (kValueBits - 3)) & 7;
    add("constant beside the opened value", self, (low_bits(constant(0).v) & 1) << 3 | sign_and_top, false);
    if (gate_.constants_shift == 0) return;
    const Fp difference = Fp::reduce(c.v >> gate_.constants_shift) - constant(gate_.constants - 1);
    add_element("opened value minus the constant", self, difference);
  }

  // The bits that the evaluators open between them, next to the sign of c. Both hold the xor of their messages.
  void beside_tables(int self, int dealer, std::size_t gate, bool first, Fp c) {
    const int other = 3 - dealer - self;
    const unsigned sign_and_top = static_cast<unsigned>(c.v >> (kValueBits - 3)) & 7;
    const std::string role = first ? "first evaluator: " : "second evaluator: ";
    for (int k = 1; k <= gate_.results; ++k) {
      const std::size_t record = gate_.layout[static_cast<std::size_t>(k)][0];
      for (std::size_t i = 0; i < record; ++i) {
        const unsigned bits =
            messages_[self][other].at(k).at(gate * record + i) ^ messages_[other][self].at(k).at(gate * record + i);
        for (unsigned b = 0; b < 8; ++b)
          add(role + "masked bit " + std::to_string(8 * i + b) + " of message " + std::to_string(k), self,
              (bits >> b & 1) << 3 | sign_and_top, false);
      }
    }
    if (first) return;
    // LT of the highest chunk, looked up in this evaluator's half alone; and rho, next to the masked result.
    const TableShape shape(kValueBits - 1, 1);
    const Bytes& bytes = messages_[dealer][self].at(gate_.opening);
    const std::size_t constants = kPerDealer * gate_.constants * kFpBytes;
    const std::size_t base = bytes.size() - constants - (kPerDealer - gate) * shape.gate_bytes();
    const int top = shape.chunks() - 1;
    const u128 low = c.v & ((one << (kValueBits - 1)) - 1);
    const std::size_t at = shape.table_at(top) + static_cast<std::size_t>(low >> (kChunkBits * top));
    add("table at the opened value", self, (bytes.at(base + at / 8) >> at % 8 & 1u) << 3 | sign_and_top, false);
    const Fp rho = load(bytes.data() + bytes.size() - constants + gate * gate_.constants * kFpBytes);
    const unsigned result =
        (messages_[self][other].at(gate_.results).at(gate) ^ messages_[other][self].at(gate_.results).at(gate)) & 1u;
    add("rho beside the masked result", self,
        (low_bits(rho.v) & 1) << 3 | result << 2 | (static_cast<unsigned>(c.v >> (kValueBits - 2)) & 3), false);
  }

  // The dealer of a reshare computes the sum of the evaluators' outputs, as if their messages were unmasked.
  void as_dealer(int self) {
    const int e1 = (self + 1) % kParties, e2 = (self + 2) % kParties;
    const auto& from1 = messages_[e1][self].at(gate_.reshare);
    const auto& from2 = messages_[e2][self].at(gate_.reshare);
    const Fp weight1 = inverse(Session::vanishing_factor(self, e2));
    const Fp weight2 = inverse(Session::vanishing_factor(self, e1));
    for (std::size_t i = 0; i < kPerDealer * gate_.per_gate; ++i)
      add_element("output " + std::to_string(i % gate_.per_gate) + " if the reshared values were unmasked", self,
                  element(from1, i) * weight1 + element(from2, i) * weight2);
  }

  // The value at 0 of the line through a message, read as a (weighted) share of `party`, and this party's own share.
  static Fp line(Fp message, int party, Fp own, int self) {
    static constexpr std::int64_t weights[kParties] = {3, -3, 1};
    const Fp share = message * inverse(Fp::from_int(weights[party]));
    const Fp p = Fp::from_int(party + 1), s = Fp::from_int(self + 1);
    return (share * s - own * p) * inverse(s - p);
  }

  const Gate& gate_;
  int sample_;
  TwoSamples& out_;
  MpcHarness harness_;
  std::array<FpVector, kParties> inputs_;
  std::array<std::array<std::vector<Bytes>, kParties>, kParties> messages_;
  std::array<std::array<std::size_t, kParties>, kParties> at_out_{};
};

FpVector twice(const FpVector& x) {
  FpVector out = x.clone();
  out.insert(out.end(), x.begin(), x.end());
  return out;
}

const std::vector<Mutant> kComparisonMasks = {Mutant::no_opening_mask, Mutant::no_zero_sharing, Mutant::no_reshare_mask,
                                              Mutant::no_key_share_mask};
const std::vector<i128> kZero = {0};
constexpr i128 kLarge = static_cast<i128>(1) << 80;
constexpr std::size_t kCompareKey = 16 + 82 * 33 + 16;

std::vector<Gate> gates() {
  std::vector<Gate> out;
  out.push_back({.name = "Input",
                 .secrets = {77, -kLarge},
                 .body =
                     [](Session& s, FpVector x, Fp secret) {
                       FpVector summand(x.size());  // both controllers hold the secret
                       for (Fp& v : summand) v = secret;
                       const std::span<const Fp> columns[] = {summand};
                       share_additive(s, kLabel, columns);
                       return x;
                     },
                 .layout = {{kParties * kFpBytes}},
                 .mutants = {Mutant::no_input_mask}});
  out.push_back({.name = "TruncatedProduct",
                 .secrets = {0, kLarge},
                 .body =
                     [](Session& s, FpVector x, Fp) {
                       truncate(s, kLabel, x, 36, 82);
                       return x;
                     },
                 .layout = {{2 * kFpBytes}},
                 .mutants = {Mutant::no_opening_mask, Mutant::no_zero_sharing},
                 .opening = 0,
                 .offset = 82});
  out.push_back({.name = "Comparison",
                 .secrets = {kLarge, -kLarge},
                 .body =
                     [](Session& s, FpVector x, Fp) {
                       at_least(s, kLabel, x, kZero);
                       return x;
                     },
                 .layout = {{2 * kFpBytes, kCompareKey, kFpBytes}, {kFpBytes}},
                 .mutants = kComparisonMasks,
                 .opening = 0,
                 .offset = 82,
                 .constants = 1,
                 .reshare = 1});
  const TableShape tables(82, 1);
  out.push_back(
      {.name = "ComparisonByTables",
       .secrets = {kLarge, -kLarge},
       .body =
           [](Session& s, FpVector x, Fp) {
             s.set_comparison(ComparisonKind::compact);
             at_least(s, kLabel, x, kZero);
             return x;
           },
       .layout = {{2 * kFpBytes, tables.gate_bytes(), kFpBytes},
                  {tables.message_bytes(0)},
                  {tables.message_bytes(1)},
                  {tables.message_bytes(2)},
                  {kFpBytes}},
       .mutants = {Mutant::no_opening_mask, Mutant::no_zero_sharing, Mutant::no_reshare_mask, Mutant::no_key_share_mask,
                   Mutant::no_table_share, Mutant::no_lookup_mask, Mutant::no_result_mask},
       .opening = 0,
       .offset = 82,
       .constants = 1,
       .results = 3,
       .reshare = 4});
  out.push_back({.name = "Relu",
                 .secrets = {kLarge, -kLarge},
                 .body =
                     [](Session& s, FpVector x, Fp) {
                       FpVector values = twice(x);
                       relu_and_truncate(s, kLabel, values, x.size(), 37, 36, 82, true);
                       return values;
                     },
                 .layout = {{4 * kFpBytes, 16 + 46 * 49 + 32, 2 * kFpBytes}, {2 * kFpBytes}},
                 .mutants = kComparisonMasks,
                 .opening = 0,
                 .offset = 82,
                 .constants = 2,
                 .reshare = 1,
                 .per_gate = 2});
  out.push_back({.name = "ExactTruncation",
                 .secrets = {0, -kLarge},
                 .body =
                     [](Session& s, FpVector x, Fp) {
                       exact_truncate(s, kLabel, x, 44, 82);
                       return x;
                     },
                 .layout = {{2 * kFpBytes, 16 + 44 * 33 + 16, kFpBytes}, {kFpBytes}},
                 .mutants = kComparisonMasks,
                 .opening = 0,
                 .offset = 82,
                 .constants = 1,
                 .constants_shift = 44,
                 .reshare = 1});
  // The stop bit: both secrets give the bit 1, so everything sent on the way to it must look the same.
  out.push_back({.name = "StopBit",
                 .secrets = {1000, kLarge},
                 .body =
                     [](Session& s, FpVector x, Fp) {
                       const Opened length = masked_open(s, kLabel, x, 88);
                       FpVector gap = truncated(s, length, 8);
                       open(s, 9, at_least(s, kSecond, gap, kZero));
                       return gap;
                     },
                 .layout = {{2 * kFpBytes}, {2 * kFpBytes, kCompareKey, kFpBytes}, {kFpBytes}, {kParties * kFpBytes}},
                 .mutants = {Mutant::no_opening_mask, Mutant::no_zero_sharing, Mutant::no_reshare_mask},
                 .opening = 1,
                 .label = kSecond,
                 .offset = 82,
                 .constants = 1,
                 .reshare = 2});
  // Precheck and validity bit: violations by secret values, their sum compared, the bit opened (here to two parties).
  out.push_back({.name = "CheckBitOpenedToTwo",
                 .secrets = {3, kLarge},
                 .body =
                     [](Session& s, FpVector x, Fp) {
                       FpVector negated = at_least(s, kLabel, x, kZero);
                       for (Fp& bit : negated) bit -= Fp::from_int(1);
                       open(s, 9, at_least(s, kSecond, negated, kZero), 0b011);
                       return x;
                     },
                 .layout = {{2 * kFpBytes, kCompareKey, kFpBytes},
                            {kFpBytes},
                            {2 * kFpBytes, kCompareKey, kFpBytes},
                            {kFpBytes},
                            {kParties * kFpBytes}},
                 .mutants = {Mutant::no_opening_mask, Mutant::no_zero_sharing, Mutant::no_reshare_mask},
                 .opening = 0,
                 .offset = 82,
                 .constants = 1,
                 .reshare = 1});
  return out;
}

TwoSamples::Verdict views_of(const Gate& gate) {
  TwoSamples samples;
  for (int sample = 0; sample < 2; ++sample)
    for (int run = 0; run < kRuns; ++run) GateRun(gate, sample, run, samples).look();
  return samples.worst();
}

class Independence : public testing::TestWithParam<Gate> {};

TEST_P(Independence, NoPartySeesWhichOfTwoSecretsItWas) {
  const auto verdict = views_of(GetParam());
  EXPECT_GT(verdict.comparisons, 60u);
  EXPECT_GT(verdict.p, kAlpha) << verdict.feature;
}

TEST_P(Independence, EachMaskLeftOutIsNoticed) {
  for (const Mutant m : GetParam().mutants) {
    WithMutant on(m);
    const auto verdict = views_of(GetParam());
    EXPECT_LT(verdict.p, kAlpha) << "mutant " << static_cast<int>(m);
  }
}

INSTANTIATE_TEST_SUITE_P(Gates, Independence, testing::ValuesIn(gates()),
                         [](const auto& param) { return param.param.name; });

// A comparison key alone: each evaluator's half for two thresholds and two payloads.
TwoSamples::Verdict views_of_keys() {
  const DcfShape shape{40, 2};
  const std::size_t gates = 512;
  const u128 thresholds[] = {5, (one << 40) - 7};
  TwoSamples samples;
  for (int sample = 0; sample < 2; ++sample) {
    TestRng rng(static_cast<std::uint64_t>(70 + sample));
    Dcf dcf(Bytes(16, 3));
    const std::vector<u128> alphas(gates, thresholds[sample]);
    FpVector betas(2 * gates);
    for (Fp& beta : betas) beta = Fp::from_int(sample == 0 ? 1 : -99);
    Bytes keys[2];
    dcf.generate(shape, alphas, betas, rng, keys[0], keys[1]);
    for (int evaluator = 0; evaluator < 2; ++evaluator) {
      const std::size_t id =
          samples.feature("key byte of evaluator " + std::to_string(evaluator), 16, false, 2 * shape.key_bytes());
      for (std::size_t i = 0; i < keys[evaluator].size(); ++i) {
        samples.add(sample, id + 2 * (i % shape.key_bytes()), keys[evaluator][i] & 15u);
        samples.add(sample, id + 2 * (i % shape.key_bytes()) + 1, keys[evaluator][i] >> 4);
      }
    }
  }
  return samples.worst();
}

TEST(Independence, ComparisonKeysHideThresholdAndPayload) {
  const auto verdict = views_of_keys();
  EXPECT_GT(verdict.p, kAlpha) << verdict.feature;
}
TEST(Independence, MutantKeysFromKnownSeedsShowThem) {
  WithMutant on(Mutant::fixed_dcf_seeds);
  EXPECT_LT(views_of_keys().p, kAlpha);
}

// Opening a degree-1 sharing: a recipient's view is a function of its own share and the value, the others see nothing.
TEST(Independence, AnOpeningShowsItsValueToItsRecipientsAndNothingElse) {
  for (unsigned recipients = 1; recipients < 8; ++recipients) {
    MpcHarness h(900 + recipients, true);
    const auto shares = h.deal({4711, -3});
    h.run([&](Session& s) {
      open(s, 9, shares[s.self()], recipients);
      return 0;
    });
    for (const RecordedMessage& m : h.network().recording()) {
      ASSERT_TRUE(recipients >> m.to & 1);
      for (std::size_t i = 0; i < 2; ++i) {
        const Fp value = Fp::from_int(i == 0 ? 4711 : -3), own = shares[m.to][i];
        const Fp slope = (own - value) * inverse(Fp::from_int(m.to + 1));
        EXPECT_TRUE(element(m.bytes, i) == value + slope * Fp::from_int(m.from + 1));
      }
    }
  }
}

}  // namespace
}  // namespace pgmpc
