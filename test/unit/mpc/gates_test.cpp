// Each building block at share level against plain integer arithmetic.
#include <gtest/gtest.h>

#include <cmath>

#include "mpc/comparison.h"
#include "mpc/dcf.h"
#include "mpc/input.h"
#include "mpc/opening.h"
#include "mpc/threshold.h"
#include "support/comparison_kinds.h"
#include "support/mpc_harness.h"

namespace pgmpc {
namespace {

std::vector<i128> test_values(TestRng& rng, int bits, int count) {
  std::vector<i128> out = {0, 1, -1, power_of_two(bits) - 1, -power_of_two(bits) + 1};
  while (static_cast<int>(out.size()) < count) {
    const int width = 1 + static_cast<int>(rng.below(bits));
    i128 x = static_cast<i128>((static_cast<u128>(rng.u64()) << 64 | rng.u64()) &
                               (static_cast<u128>(power_of_two(width)) - 1));
    out.push_back(rng.below(2) ? x : -x);
  }
  return out;
}

TEST(Dcf, BatchesOfGatesKeepTheirKeysApart) {
  TestRng rng(2);
  Bytes key(16, 9);
  Dcf dcf(key);
  const DcfShape shape{82, 1};
  std::vector<u128> alphas, xs;
  FpVector betas(40);
  for (int g = 0; g < 40; ++g) {
    const u128 a = (static_cast<u128>(rng.u64()) << 64 | rng.u64()) >> 46;
    alphas.push_back(a);
    betas[g] = Fp::from_int(g + 1);
    xs.push_back(a);  // equal: not below
    xs.push_back(a == 0 ? 0 : a - 1);
  }
  Bytes first, second;
  dcf.generate(shape, alphas, betas, rng, first, second);
  const FpVector a = dcf.evaluate(shape, 0, first, xs, 2), b = dcf.evaluate(shape, 1, second, xs, 2);
  for (int g = 0; g < 40; ++g) {
    EXPECT_TRUE(a[2 * g] + b[2 * g] == Fp{});
    EXPECT_TRUE(a[2 * g + 1] + b[2 * g + 1] == betas[g]);
  }
}

TEST(Dcf, KeysOfAnotherSizeAreRefused) {
  Bytes key(16, 9), keys(10);
  Dcf dcf(key);
  const u128 xs[] = {1};
  EXPECT_THROW(dcf.evaluate({8, 1}, 0, keys, xs, 1), Error);
}

TEST(Truncation, ProductAndShiftInOneRound) {
  MpcHarness h(3);
  const auto x = test_values(h.rng(), 40, 120), y = test_values(h.rng(), 41, 120);
  const auto sx = h.deal(x), sy = h.deal(y);
  const int shift = 36;
  const auto out = h.run([&](Session& s) {
    FpVector product(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) product[i] = sx[s.self()][i] * sy[s.self()][i];
    return truncate(s, {1, 0, 1}, product, shift, 82);
  });
  const auto z = MpcHarness::reveal(out);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double exact = static_cast<long double>(x[i]) * static_cast<long double>(y[i]) / power_of_two(shift);
    EXPECT_LT(std::fabs(static_cast<long double>(z[i]) - exact), 1.6L) << i;
  }
  EXPECT_EQ(h.transcript(0).rounds, 1);
  // 4 elements per value in all three parties together.
  EXPECT_EQ(h.transcript(0).elements_sent + h.transcript(1).elements_sent + h.transcript(2).elements_sent, 4 * 120);
  EXPECT_NEAR(std::log2(h.transcript(0).exposure), std::log2(120.0) + 83 - 125, 1e-9);
}

TEST(Truncation, ShiftZeroReducesTheDegreeExactly) {
  MpcHarness h(4);
  const auto x = test_values(h.rng(), 30, 20), y = test_values(h.rng(), 30, 20);
  const auto sx = h.deal(x), sy = h.deal(y);
  const auto out = h.run([&](Session& s) {
    FpVector product(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) product[i] = sx[s.self()][i] * sy[s.self()][i];
    return truncate(s, {1, 0, 1}, product, 0, 70);
  });
  const auto z = MpcHarness::reveal(out);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_TRUE(z[i] == x[i] * y[i]);
}

TEST(Truncation, IsUnbiased) {
  MpcHarness h(5);
  const int count = 6000;
  std::vector<i128> x(count, power_of_two(40) + 12345);
  const auto sx = h.deal(x);
  const auto out = h.run([&](Session& s) { return truncate(s, {1, 0, 1}, sx[s.self()], 20, 60); });
  double sum = 0;
  for (i128 v : MpcHarness::reveal(out))
    sum += static_cast<double>(v) - (std::ldexp(1.0, 20) + 12345 / std::ldexp(1.0, 20));
  EXPECT_LT(std::fabs(sum / count), 6 * 0.5 / std::sqrt(count));
}

class Gates : public EachComparison {
 protected:
  // Rounds of a gate: two with keys; truth tables add the messages between the evaluators.
  int rounds(int compact) const { return GetParam() == ComparisonKind::fast ? 2 : compact; }
};
INSTANTIATE_TEST_SUITE_P(Kinds, Gates, testing::Values(ComparisonKind::fast, ComparisonKind::compact),
                         comparison_test_name);

TEST_P(Gates, ThresholdBitsAreExact) {
  MpcHarness h(6);
  h.set_comparison(GetParam());
  auto x = test_values(h.rng(), 80, 60);
  const std::vector<i128> thresholds = {0, 1, -1, power_of_two(50), -power_of_two(80)};
  for (i128 t : thresholds)
    for (int d = -1; d <= 1; ++d) x.push_back(t + d);
  const auto sx = h.deal(x);
  const auto bits = MpcHarness::reveal(h.run([&](Session& s) {
    return at_least(s, {2, 0, 1}, sx[s.self()], thresholds);
  }));
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t k = 0; k < thresholds.size(); ++k)
      EXPECT_TRUE(bits[i * thresholds.size() + k] == (x[i] >= thresholds[k] ? 1 : 0)) << i << " " << k;
  EXPECT_EQ(h.transcript(1).rounds, rounds(5));
}

TEST_P(Gates, SingleGateWorksForEveryDealer) {
  // One value has dealer 0; padding moves the value of interest to each dealer.
  for (std::size_t at = 0; at < 3; ++at) {
    MpcHarness h(7 + at);
    h.set_comparison(GetParam());
    std::vector<i128> x(at + 1, 0);
    x[at] = -42;
    const auto sx = h.deal(x);
    const std::vector<i128> zero = {0};
    const auto bits = MpcHarness::reveal(h.run([&](Session& s) { return at_least(s, {2, 0, 1}, sx[s.self()], zero); }));
    EXPECT_TRUE(bits[at] == 0);
  }
}

TEST_P(Gates, PositivePartTruncatedWithItsBit) {
  MpcHarness h(10);
  h.set_comparison(GetParam());
  const int shift = 37, relus = 90;
  auto x = test_values(h.rng(), 80, relus + 30);
  const auto sx = h.deal(x);
  std::array<FpVector, kParties> relu, active, rest;
  h.run([&](Session& s) {
    ReluResult r = relu_and_truncate(s, {3, 0, 1}, sx[s.self()], relus, shift, 36, 81, true);
    relu[s.self()] = std::move(r.relu);
    active[s.self()] = std::move(r.active);
    rest[s.self()] = std::move(r.rest);
    return 0;
  });
  const auto values = MpcHarness::reveal(relu), bits = MpcHarness::reveal(active), others = MpcHarness::reveal(rest);
  for (int i = 0; i < relus; ++i) {
    const long double exact = x[i] > 0 ? static_cast<long double>(x[i]) / power_of_two(shift) : 0;
    EXPECT_LT(std::fabs(static_cast<long double>(values[i]) - exact), 2.5L) << i;
    if (x[i] > power_of_two(36) || x[i] < -power_of_two(36)) {
      EXPECT_TRUE(bits[i] == (x[i] > 0 ? 1 : 0)) << i;
    }
    if (x[i] < -power_of_two(36)) {
      EXPECT_TRUE(values[i] == 0) << "a closed gate gives exactly zero";
    }
  }
  for (int i = 0; i < 30; ++i)
    EXPECT_LT(
        std::fabs(static_cast<long double>(others[i]) - static_cast<long double>(x[relus + i]) / power_of_two(shift)),
        1.6L);
  EXPECT_EQ(h.transcript(0).rounds, rounds(5));
}

TEST_P(Gates, RoundsExactlyAndZeroStaysZero) {
  MpcHarness h(11);
  h.set_comparison(GetParam());
  const int shift = 44;
  auto x = test_values(h.rng(), 80, 100);
  for (int d = -2; d <= 2; ++d)
    x.push_back((static_cast<i128>(5) << shift) + (static_cast<i128>(1) << (shift - 1)) + d);
  x.resize(x.size() + 200, 0);
  const auto sx = h.deal(x);
  const auto y = MpcHarness::reveal(h.run([&](Session& s) {
    return exact_truncate(s, {4, 0, 1}, sx[s.self()], shift, 82);
  }));
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_TRUE(y[i] == ((x[i] + (static_cast<i128>(1) << (shift - 1))) >> shift)) << i;
  EXPECT_EQ(h.transcript(0).rounds, rounds(4));
}

// The gate of the solver compares 36 bits. The costs are those of one of 30 gates, for all three parties together.
TEST_P(Gates, BytesOfTheSoftThreshold) {
  MpcHarness h(18);
  h.set_comparison(GetParam());
  const auto x = test_values(h.rng(), 80, 30);
  const auto sx = h.deal(x);
  h.run([&](Session& s) { return relu_and_truncate(s, {3, 0, 1}, sx[s.self()], 30, 37, 46, 81, false).relu; });
  std::int64_t bytes = 0;
  for (int party = 0; party < kParties; ++party) bytes += h.transcript(party).bytes_sent;
  constexpr std::int64_t kElements = (4 + 2 + 2) * kFpBytes;  // opening, constants, reshare
  // 101 bytes of tables to e2, 2 bytes of masked bits and 1 of the masked result to each evaluator.
  const std::int64_t keys = GetParam() == ComparisonKind::fast ? 2 * (16 + 36 * 49 + 32) : 101 + 2 * 2 + 2 * 1;
  EXPECT_EQ(bytes, 30 * (kElements + keys));
  EXPECT_EQ(h.transcript(0).rounds, rounds(4));
  EXPECT_NEAR(comparison_bytes(GetParam(), 36, 1, true), static_cast<double>(keys + 2 * kFpBytes) / 3, 1e-9);
}

TEST(ExactTruncation, MutantProbabilisticReleaseShowsNoiseOnZeros) {
  WithMutant on(Mutant::inexact_release);
  MpcHarness h(12);
  std::vector<i128> x(200, 0);
  const auto sx = h.deal(x);
  const auto y = MpcHarness::reveal(h.run([&](Session& s) {
    return exact_truncate(s, {4, 0, 1}, sx[s.self()], 44, 82);
  }));
  int noisy = 0;
  for (i128 v : y) noisy += v != 0;
  EXPECT_GT(noisy, 20);
}

FpVector concatenated(const FpVector& a, const FpVector& b) {
  FpVector out = a.clone();
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

TEST(Input, AdditiveSummandsBecomeASharing) {
  MpcHarness h(13);
  const auto a = test_values(h.rng(), 120, 50), b = test_values(h.rng(), 120, 50);
  const auto out = h.run([&](Session& s) {
    FpVector own(50);
    for (int i = 0; i < 50; ++i)
      own[i] = s.self() == 0 ? Fp::from_signed(a[i]) : s.self() == 1 ? Fp::from_signed(b[i]) : Fp{};
    const std::span<const Fp> columns[] = {std::span<const Fp>(own).first(20), std::span<const Fp>(own).subspan(20)};
    auto shares = share_additive(s, {5, 0, 1}, columns);
    return concatenated(shares[0], shares[1]);
  });
  const auto sum = MpcHarness::reveal(out);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(sum[i] == a[i] + b[i]);
  EXPECT_EQ(h.transcript(2).bytes_sent, 0);
  EXPECT_EQ(h.transcript(0).elements_sent, 50);
}

TEST(Opening, OpensToTheRecipientsOnly) {
  MpcHarness h(14);
  const std::vector<i128> x = {5, -7, power_of_two(100)};
  const auto sx = h.deal(x);
  std::array<std::vector<Fp>, kParties> seen;
  h.run([&](Session& s) {
    seen[s.self()] = open(s, 1, sx[s.self()], 0b101);
    return 0;
  });
  EXPECT_TRUE(seen[1].empty());
  for (int party : {0, 2})
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_TRUE(seen[party][i].to_signed() == x[i]);
}

TEST(Opening, AFlippedShareEndsTheAttemptWithoutANumber) {
  MpcHarness h(15);
  auto sx = h.deal({1, 2, 3});
  sx[2][1] += Fp::from_int(1);
  try {
    h.run([&](Session& s) {
      s.name_phases([](std::uint16_t) { return std::string("release"); });
      return open(s, 1, sx[s.self()]);
    });
    FAIL() << "the mismatch was not noticed";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::inconsistent_shares);
    EXPECT_EQ(e.message(), "the shares opened in phase release do not agree");
    for (char c : std::string(e.message()) + e.detail()) EXPECT_FALSE(c >= '0' && c <= '9');
  }
}

TEST(Labels, TheRegistryRefusesASecondUseOfALabel) {
  MpcHarness h(16);
  const auto sx = h.deal({1, 2, 3});
  EXPECT_THROW(h.run([&](Session& s) {
    truncate(s, {1, 0, 1}, sx[s.self()], 4, 40);
    return truncate(s, {1, 0, 1}, sx[s.self()], 4, 40);
  }),
               Error);
}

TEST(Ranges, TheProbeNoticesAValueAboveItsBound) {
  MpcHarness h(17);
  const auto sx = h.deal({power_of_two(50)});
  EXPECT_THROW(h.run([&](Session& s) { return truncate(s, {1, 0, 1}, sx[s.self()], 4, 40); }), Error);
}

}  // namespace
}  // namespace pgmpc
