// Each building block against plain arithmetic on every input of a small range, for every dealer. Every pair of parties
// must open the same results.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "mpc/comparison.h"
#include "mpc/dcf.h"
#include "mpc/input.h"
#include "mpc/opening.h"
#include "mpc/truth_table.h"
#include "support/comparison_kinds.h"
#include "support/mpc_harness.h"

namespace pgmpc {
namespace {

// Every integer of [-2^bits, 2^bits], three times in a row: once with each dealer.
std::vector<i128> every_value(int bits) {
  std::vector<i128> out;
  for (i128 x = -power_of_two(bits); x <= power_of_two(bits); ++x) out.insert(out.end(), kParties, x);
  return out;
}

// The values of a degree-1 sharing, opened by each of the three pairs of parties.
std::vector<i128> opened_by_every_pair(const std::array<FpVector, kParties>& shares) {
  std::vector<i128> out;
  for (std::size_t i = 0; i < shares[0].size(); ++i) {
    std::vector<i128> values;
    for (int a = 0; a < kParties; ++a)
      for (int b = a + 1; b < kParties; ++b) {
        const std::pair<int, Fp> pair[] = {{a + 1, shares[a][i]}, {b + 1, shares[b][i]}};
        values.push_back(shamir_combine(pair, 2).to_signed());
      }
    if (!(values[0] == values[1] && values[1] == values[2])) throw std::runtime_error("pairs of parties disagree");
    out.push_back(values[0]);
  }
  return out;
}

TEST(Exhaustive, DcfAtEveryPointForEveryThreshold) {
  TestRng rng(1);
  Dcf dcf(Bytes(16, 7));
  for (int domain = 1; domain <= 7; ++domain)
    for (int width = 1; width <= 3; ++width) {
      const DcfShape shape{domain, width};
      const unsigned points = 1u << domain;
      std::vector<u128> thresholds, xs;  // one gate for each threshold, all in one batch
      for (unsigned t = 0; t < points; ++t) {
        thresholds.push_back(t);
        for (unsigned x = 0; x < points; ++x) xs.push_back(x);
      }
      FpVector payload(thresholds.size() * width);
      for (Fp& beta : payload) beta = random_element(rng);
      Bytes first, second;
      dcf.generate(shape, thresholds, payload, rng, first, second);
      const FpVector a = dcf.evaluate(shape, 0, first, xs, static_cast<int>(points)),
                     b = dcf.evaluate(shape, 1, second, xs, static_cast<int>(points));
      for (unsigned t = 0; t < points; ++t)
        for (unsigned x = 0; x < points; ++x)
          for (int k = 0; k < width; ++k) {
            const std::size_t i = (t * points + x) * width + k;
            ASSERT_TRUE(a[i] + b[i] == (x < t ? payload[t * width + k] : Fp{}))
                << "domain " << domain << " threshold " << t << " point " << x;
          }
    }
}

class ExhaustiveGates : public EachComparison {};

TEST_P(ExhaustiveGates, ComparisonOfEverySmallValueWithEverySmallThreshold) {
  MpcHarness h(21);
  h.set_comparison(GetParam());
  const auto x = every_value(4);
  std::vector<i128> thresholds;
  for (int t = -17; t <= 17; ++t) thresholds.push_back(t);
  const auto shares = h.deal(x);
  const auto bits = opened_by_every_pair(h.run([&](Session& s) {
    return at_least(s, {2, 0, 1}, shares[s.self()], thresholds);
  }));
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t k = 0; k < thresholds.size(); ++k)
      ASSERT_TRUE(bits[i * thresholds.size() + k] == (x[i] >= thresholds[k] ? 1 : 0)) << i << " " << k;
}

// The limits of the range, and the multiples of 2^k around which carries run through all bits.
TEST_P(ExhaustiveGates, ComparisonWithZeroAtEveryPowerOfTwo) {
  std::vector<i128> x;
  for (int bit = 0; bit <= 81; ++bit)
    for (int d = -1; d <= 1; ++d)
      for (int sign : {-1, 1}) x.insert(x.end(), kParties, sign * (power_of_two(bit) + d));
  x.insert(x.end(), kParties, power_of_two(82) - 1);
  x.insert(x.end(), kParties, 1 - power_of_two(82));
  for (std::uint64_t seed = 22; seed < 26; ++seed) {
    MpcHarness h(seed);
    h.set_comparison(GetParam());
    const auto shares = h.deal(x);
    const std::vector<i128> zero = {0};
    const auto bits = opened_by_every_pair(h.run([&](Session& s) {
      return at_least(s, {2, 0, 1}, shares[s.self()], zero);
    }));
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_TRUE(bits[i] == (x[i] >= 0 ? 1 : 0)) << i;
  }
}

TEST_P(ExhaustiveGates, TruncationOfEveryResidue) {
  const auto x = every_value(6);
  for (int shift = 0; shift <= 7; ++shift) {
    MpcHarness h(30 + static_cast<std::uint64_t>(shift));
    h.set_comparison(GetParam());
    const auto shares = h.deal(x);
    std::array<FpVector, kParties> exact;
    const auto rough = opened_by_every_pair(h.run([&](Session& s) {
      if (shift > 0) exact[s.self()] = exact_truncate(s, {4, 0, 1}, shares[s.self()], shift, 40);
      return truncate(s, {4, 0, 2}, shares[s.self()], shift, 40);
    }));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = static_cast<double>(rough[i]) - std::ldexp(static_cast<double>(x[i]), -shift);
      ASSERT_LE(error, shift == 0 ? 0 : 1.5) << i;
      ASSERT_GE(error, shift == 0 ? 0 : -1.5) << i;
    }
    if (shift == 0) continue;
    const auto rounded = opened_by_every_pair(exact);
    for (std::size_t i = 0; i < x.size(); ++i)
      ASSERT_TRUE(rounded[i] == (x[i] + power_of_two(shift - 1)) >> shift) << "shift " << shift << " value " << i;
  }
}

TEST_P(ExhaustiveGates, ReluOfEverySmallValueAtFullResolution) {
  const auto x = every_value(6);
  for (int shift = 0; shift <= 3; ++shift) {
    MpcHarness h(40 + static_cast<std::uint64_t>(shift));
    h.set_comparison(GetParam());
    const auto shares = h.deal(x);
    std::array<FpVector, kParties> active;
    const auto relu = opened_by_every_pair(h.run([&](Session& s) {
      ReluResult r = relu_and_truncate(s, {3, 0, 1}, shares[s.self()], x.size(), shift, 0, 80, true);
      active[s.self()] = std::move(r.active);
      return std::move(r.relu);
    }));
    const auto bits = opened_by_every_pair(active);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(bits[i] == (x[i] >= 0 ? 1 : 0)) << i;
      if (x[i] < 0 || shift == 0)
        ASSERT_TRUE(relu[i] == (x[i] < 0 ? 0 : x[i])) << i;
      else
        ASSERT_LT(std::fabs(static_cast<double>(relu[i]) - std::ldexp(static_cast<double>(x[i]), -shift)), 2) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ExhaustiveGates, testing::Values(ComparisonKind::fast, ComparisonKind::compact),
                         comparison_test_name);

// What two evaluators of one batch of gates reveal, without the dealer's rho.
std::vector<unsigned> read_both(const TableShape& shape, std::span<const u128> alphas, std::span<const unsigned> flips,
                                std::span<const u128> xs, Rng& rng) {
  Bytes halves[2] = {Bytes(alphas.size() * shape.gate_bytes()), Bytes(alphas.size() * shape.gate_bytes())};
  std::vector<unsigned> out(xs.size());
  const std::size_t points = static_cast<std::size_t>(shape.points());
  rng.fill(halves[0]);
  for (std::size_t gate = 0; gate < alphas.size(); ++gate) {
    SecretBytes masks(shape.mask_bits()), bits(shape.gate_bytes());
    rng.fill(masks);
    for (std::uint8_t& mask : masks) mask &= 1;
    write_tables(shape, alphas[gate], flips[gate], masks, bits);
    for (std::size_t i = 0; i < bits.size(); ++i)
      halves[1][gate * bits.size() + i] = halves[0][gate * bits.size() + i] ^ bits[i];
    for (std::size_t k = 0; k < points; ++k) out[gate * points + k] = masks[masks.size() - points + k];
  }
  TableReader first(shape, 0, halves[0], xs), second(shape, 1, halves[1], xs);
  for (std::size_t round = 0; round < shape.rounds(); ++round) {
    const Bytes a = first.masked(), b = second.masked();
    first.take(b);
    second.take(a);
  }
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const int point = static_cast<int>(i % points);
    if (first.revealed(i / points, point) != second.revealed(i / points, point))
      throw std::runtime_error("they differ");
    out[i] ^= first.revealed(i / points, point);
  }
  return out;
}

TEST(Exhaustive, TruthTablesAtEveryPointForEveryThreshold) {
  TestRng rng(2);
  for (int domain = 1; domain <= 7; ++domain) {
    const unsigned points = 1u << domain;
    std::vector<u128> thresholds, xs;
    std::vector<unsigned> flips;
    for (unsigned t = 0; t < points; ++t) {
      thresholds.push_back(t);
      flips.push_back(t / 2 & 1);
      for (unsigned x = 0; x < points; ++x) xs.push_back(x);
    }
    const auto bits = read_both(TableShape(domain, static_cast<int>(points)), thresholds, flips, xs, rng);
    for (unsigned t = 0; t < points; ++t)
      for (unsigned x = 0; x < points; ++x)
        ASSERT_EQ(bits[t * points + x], (x < t ? 1u : 0u) ^ flips[t]) << "domain " << domain << " threshold " << t;
  }
}

// Every number of chunks, on one level and on two: points that agree with the threshold above each bit.
TEST(Exhaustive, TruthTablesOfEveryWidthAroundTheThreshold) {
  TestRng rng(3);
  for (int domain = 1; domain <= 126; ++domain) {
    const TableShape shape(domain, domain + 1);
    std::vector<u128> thresholds, xs;
    for (int gate = 0; gate < 4; ++gate) {
      const u128 t = random_element(rng).v & ((static_cast<u128>(1) << domain) - 1);
      thresholds.push_back(t);
      xs.push_back(t);
      for (int bit = 0; bit < domain; ++bit) xs.push_back(t ^ (static_cast<u128>(1) << bit));
    }
    const std::vector<unsigned> flips = {0, 1, 0, 1};
    const auto bits = read_both(shape, thresholds, flips, xs, rng);
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const std::size_t gate = i / static_cast<std::size_t>(domain + 1);
      ASSERT_EQ(bits[i], (xs[i] < thresholds[gate] ? 1u : 0u) ^ flips[gate]) << "domain " << domain << " point " << i;
    }
    EXPECT_EQ(shape.rounds(), domain <= 45 ? 2u : 3u);
  }
}

TEST(Exhaustive, TruthTablesOfAnotherSizeAreRefused) {
  const TableShape shape(36, 1);
  const std::vector<u128> xs = {5};
  const Bytes halves(shape.gate_bytes()), longer(shape.gate_bytes() + 1);
  EXPECT_THROW(TableReader(shape, 0, longer, xs), Error);
  TableReader reader(shape, 0, halves, xs);
  reader.masked();
  EXPECT_THROW(reader.take(Bytes(reader.message_bytes() + 1)), Error);
}

TEST(Exhaustive, InputsOfEverySmallPair) {
  MpcHarness h(50);
  std::vector<std::pair<int, int>> pairs;
  for (int a = -8; a <= 8; ++a)
    for (int b = -8; b <= 8; ++b) pairs.emplace_back(a, b);
  const auto shares = h.run([&](Session& s) {
    FpVector own(pairs.size());
    for (std::size_t i = 0; i < pairs.size(); ++i)
      own[i] = Fp::from_int(s.self() == 0 ? pairs[i].first : s.self() == 1 ? pairs[i].second : 99);
    const std::span<const Fp> columns[] = {own};
    return std::move(share_additive(s, {5, 0, 1}, columns)[0]);
  });
  const auto sums = opened_by_every_pair(shares);
  for (std::size_t i = 0; i < pairs.size(); ++i) ASSERT_TRUE(sums[i] == pairs[i].first + pairs[i].second) << i;
}

}  // namespace
}  // namespace pgmpc
