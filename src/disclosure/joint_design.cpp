// Implements the leverage and VIF rules over the joint design on shares.
#include "disclosure/joint_design.h"

#include <algorithm>
#include <cmath>

#include "algebra/gram.h"
#include "algebra/inverse.h"
#include "base/mutants.h"
#include "disclosure/dominance.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {
constexpr std::uint32_t kInverseId = 1u << 31;  // no problem uses it
constexpr std::size_t kMostMoments = 65536, kMostStretches = 128, kFewestStretches = 16, kFewestOfFew = 8;
// Moments of stretches are needed with the inverse, about twenty rounds later, so each message carries a part of them.
constexpr std::size_t kOpeningRounds = 12;
constexpr double kStretchSlack = 0.05;                                                      // rule 1
constexpr double kMeanLeverage = 0.05, kMeanLeverageOfSmall = 2, kMeanLeverageSlack = 0.3;  // rule 2
constexpr double kVifUnder = 0.97;
constexpr double kLeverageShift = 0x1p-10;  // without rule 3
// Weights are inverse entries, at most 2^(scale + 3), times two roots, 2^12, times 2: weight_bound. T <= d fits with
// kStretchBits and kWeightBits fractional bits, its square with kTraceBits.
constexpr int kWeightBits = 32, kTraceBits = 22, kPartBits = 18;

double limit_of_sum(double d, double m) {
  return d * std::max(kMeanLeverage, kMeanLeverageOfSmall * d / m) + kMeanLeverageSlack;
}

Fp number(double x, int bits) {
  return Fp::from_signed(static_cast<i128>(std::ldexp(static_cast<long double>(x), bits)));
}

std::size_t start_of(std::size_t part, std::size_t rows, std::size_t parts) {
  return rows / parts * part + std::min(part, rows % parts);
}

// A violation is a value below 0.
void append_violations(FpVector& out, FpVector bits) {
  for (const Fp& bit : bits) out.push_back(Fp::from_int(1) - bit);
}

// Rules 1 and 2. weights: inverse entries times roots, doubled off the diagonal, kWeightBits.
FpVector leverage_violations(const Fixed& fixed, const StretchSums& sums, const std::vector<FpVector>& central,
                             const FpVector& weights, std::size_t d, const Moments& moments, double max_leverage) {
  Session& s = fixed.session;
  const std::size_t stretches = central.size();
  const auto m = static_cast<double>(moments.rows), columns = static_cast<double>(d);
  const double part = m / std::ldexp(1.0, moments.log_rows);  // T is over 2^L here, not over m
  constexpr int kBits = kStretchBits + kWeightBits;
  const Fp most = number((max_leverage + columns / static_cast<double>(stretches) + kStretchSlack) * part, kBits);
  FpVector trace(stretches), room(stretches);
  for (std::size_t g = 0; g < stretches; ++g) {
    trace[g] = inner_product(central[g], weights);
    room[g] = most - trace[g];
  }
  const std::vector<i128> zero = {0};
  const FpVector reduced = truncate(s, fixed.label(Phase::design, 0, 3), trace, kBits - kTraceBits, kTraceBound);
  // sum (T_g - c_g sum T)^2, where c_g is the part of the rows in stretch g. sum T is the number of columns that vary.
  Fp sum, squares, weighted;
  double square_part = 0;
  for (std::size_t g = 0; g < stretches; ++g) {
    const double of_rows = static_cast<double>(sums.sizes[g]) / m;
    sum += reduced[g];
    squares += reduced[g] * reduced[g];
    weighted += reduced[g] * number(of_rows, kPartBits);
    square_part += of_rows * of_rows;
  }
  const Fp spread =
      shifted(squares, kPartBits) - sum * (weighted + weighted) + sum * sum * number(square_part, kPartBits);
  const double most_spread = (limit_of_sum(columns, m) - columns * columns / m) * part * part;
  room.push_back(number(most_spread, 2 * kTraceBits + kPartBits) - spread);
  const FpVector bits = at_least(s, fixed.label(Phase::design, 0, 4), room, zero);
  FpVector out;
  for (std::size_t k = 0; k < bits.size(); ++k) {
    const bool single = k < stretches;
    if (mutant(single ? Mutant::no_leverage_rule : Mutant::no_mean_leverage_rule)) continue;
    out.push_back(Fp::from_int(1) - bits[k]);
  }
  return out;
}
}  // namespace

bool checks_leverage(const RowRules& rules) { return rules.max_leverage < 1; }

bool checks_design(const RowRules& rules) { return checks_leverage(rules) || rules.max_vif > 0; }

std::size_t design_stretches(std::size_t attributes, std::size_t rows) {
  const std::size_t wanted = std::clamp(kMostMoments / triangle_size(attributes), kFewestStretches, kMostStretches);
  return std::min(std::min(wanted, std::max(rows / 4, kFewestOfFew)), rows);
}

double design_shift(std::size_t attributes, double max_vif) {
  if (max_vif <= 0) return kLeverageShift;
  return std::exp2(std::floor(-std::log2(16 * static_cast<double>(attributes) * max_vif)));
}

int design_scale(std::size_t attributes, double max_vif) {
  const double shift = design_shift(attributes, max_vif);
  return std::max(0, chebyshev_steps(approximate_most(attributes) + shift, shift).back().growth - 3);
}

int stretch_bound(std::size_t largest_stretch) { return group_bits(largest_stretch); }

StretchSums stretch_sums(std::span<const FpVector> columns, std::size_t stretches, const CancelToken& cancel) {
  const std::size_t rows = columns[0].size();
  StretchSums sums;
  sums.total.resize(triangle_size(columns.size()));
  for (std::size_t g = 0; g < stretches; ++g) {
    const std::size_t first = start_of(g, rows, stretches), count = start_of(g + 1, rows, stretches) - first;
    sums.sizes.push_back(count);
    std::vector<FpVector> part;
    FpVector linear;
    for (const FpVector& column : columns) {
      const auto at = column.begin() + static_cast<std::ptrdiff_t>(first);
      part.emplace_back(at, at + static_cast<std::ptrdiff_t>(count));
      Fp sum;
      for (const Fp& x : part.back()) sum += x;
      linear.push_back(sum);
    }
    sums.linear.push_back(std::move(linear));
    sums.square.push_back(gram(part, cancel));
    for (std::size_t k = 0; k < sums.total.size(); ++k) sums.total[k] += sums.square.back()[k];
  }
  return sums;
}

namespace {
// Appends the moments of one stretch, 2 kDataBits, degree 2. products: of the means, upper triangle of the attributes.
void append_central(FpVector& out, const Moments& moments, const StretchSums& sums, std::size_t g,
                    const FpVector& products, std::size_t d) {
  const std::size_t others = moments.coarse_mean.size() - d;  // outcomes: their entries end each row of the triangle
  const Fp rows = Fp::from_int(static_cast<std::int64_t>(sums.sizes[g]));
  const FpVector& linear = sums.linear[g];
  std::size_t at = 0, next = 0;
  for (std::size_t i = 0; i < d; ++i, at += others)
    for (std::size_t j = i; j < d; ++j)
      out.push_back(sums.square[g][at++] - moments.coarse_mean[i] * linear[j] - moments.coarse_mean[j] * linear[i] +
                    rows * products[next++]);
}
}  // namespace

std::vector<FpVector> central_moments(const Fixed& fixed, const Moments& moments, const StretchSums& sums,
                                      std::size_t attributes) {
  const std::size_t d = attributes, half = triangle_size(d), stretches = sums.sizes.size();
  FpVector products;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = i; j < d; ++j) products.push_back(moments.coarse_mean[i] * moments.coarse_mean[j]);
  const int shift = 2 * kDataBits + moments.log_rows - kStretchBits;
  std::vector<FpVector> out;
  for (std::size_t part = 0; part < kOpeningRounds; ++part) {
    const std::size_t first = start_of(part, stretches, kOpeningRounds);
    const std::size_t end = start_of(part + 1, stretches, kOpeningRounds);
    FpVector values;
    values.reserve(half * (end - first));
    for (std::size_t g = first; g < end; ++g) append_central(values, moments, sums, g, products, d);
    const Opened opened = masked_open(fixed.session, fixed.label(Phase::design, static_cast<std::uint32_t>(part), 1),
                                      values, stretch_bound(sums.sizes[0]));
    for (std::size_t g = first; g < end; ++g)
      out.push_back(truncated(fixed.session, opened, shift, (g - first) * half, half));
  }
  return out;
}

FpVector design_violations(const Fixed& fixed, const Moments& moments, const StretchSums& sums,
                           const std::vector<FpVector>& central, const ApproximateCorrelation& approximate,
                           const RowRules& rules, const CancelToken& cancel) {
  Session& s = fixed.session;
  const std::size_t d = approximate.matrix.size, half = triangle_size(d);
  const double shift = design_shift(d, rules.max_vif);
  const int scale = design_scale(d, rules.max_vif);
  const Matrix inverse = approximate_inverse(fixed, kInverseId, approximate.matrix, shift, approximate_most(d) + shift,
                                             shift, scale, cancel);
  FpVector out;
  const std::vector<i128> zero = {0};
  if (checks_leverage(rules)) {
    FpVector weights;
    std::size_t at = 0;
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = i; j < d; ++j, ++at) {
        const Fp product = inverse(i, j) * approximate.root_products[at];
        weights.push_back(i == j ? product : product + product);
      }
    const int bits = fixed.bits - scale + kRootProductBits;
    weights = truncated(s, masked_open(s, fixed.label(Phase::design, 0, 2), weights, weight_bound(fixed.bits)),
                        bits - kWeightBits, 0, half);
    out = leverage_violations(fixed, sums, central, weights, d, moments, rules.max_leverage);
  }
  if (rules.max_vif > 0 && !mutant(Mutant::no_vif_rule)) {
    FpVector room;
    const Fp most = number(std::ldexp(rules.max_vif * kVifUnder, -scale), 2 * fixed.bits);
    for (std::size_t j = 0; j < d; ++j) room.push_back(most - inverse(j, j) * approximate.matrix(j, j));
    append_violations(out, at_least(s, fixed.label(Phase::design, 0, 5), room, zero));
  }
  return out;
}

}  // namespace pgmpc
