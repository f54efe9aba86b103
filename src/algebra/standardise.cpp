// Implements moments, reciprocal standard deviations and correlations on shares.
#include "algebra/standardise.h"

#include "algebra/gram.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {
// The spline covers variances in [2^kLowest, 2^kHighest), with one line per octave.
constexpr int kLowest = -12, kHighest = 10;
// A variance below 2^-26 is that of a constant column. Between 2^-26 and 2^kLowest the root would lose its precision,
// so the column is a violation, which is counted under MPC and never opened by itself.
constexpr int kConstant = -26;
// Minimax line for u^(-1/2) on [1, 2], relative error 2.3 %.
constexpr double kLine0 = 1.26411422, kLine1 = -0.2863736;
constexpr int kCorrections = 2;  // Goldschmidt: 2.3e-2 -> 8e-4 -> 9e-7; a Newton step then reaches 1.3e-12

FpVector product(std::span<const Fp> a, std::span<const Fp> b) {
  FpVector out(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) out[i] = a[i] * b[i];
  return out;
}

// 1 - x
FpVector rest_of(const Fixed& fixed, FpVector x) {
  for (Fp& each : x) each = fixed.one() - each;
  return x;
}

// out += steps[first ...]
void add(FpVector& out, const FpVector& steps, std::size_t first) {
  for (std::size_t j = 0; j < out.size(); ++j) out[j] += steps[first + j];
}

// Roots are at most 2^(-kLowest/2), and those of the spline 2.3 % more.
int root_product_bound(const Fixed& fixed) { return 2 * fixed.bits + 1 - kLowest; }

constexpr std::uint32_t kLabelsPerCall = 32;

// Computes a first approximation of 1/sqrt(v) by comparison with every power of two, with one key per value.
InverseRoots spline(const Fixed& fixed, std::uint32_t first, std::span<const Fp> variance) {
  std::vector<i128> edges;
  for (int k = kLowest; k <= kHighest; ++k) edges.push_back(static_cast<i128>(1) << (fixed.bits + k));
  edges.push_back(static_cast<i128>(1) << (fixed.bits + kConstant));
  const std::size_t count = edges.size(), pieces = count - 2;
  const FpVector bits = at_least(fixed.session, fixed.label(Phase::root, first, 1), variance, edges);
  InverseRoots start;
  FpVector slope_product(variance.size());
  for (FpVector* part : {&start.inverse_root, &start.varies, &start.between, &start.above})
    part->resize(variance.size());
  for (std::size_t j = 0; j < variance.size(); ++j) {
    const Fp* bit = &bits[j * count];
    Fp slope;
    for (std::size_t k = 0; k < pieces; ++k) {
      const Fp inside = bit[k] - bit[k + 1];
      const double scale = std::exp2(-0.5 * (kLowest + static_cast<int>(k)));
      start.inverse_root[j] += inside * fixed.constant(kLine0 * scale);
      slope += inside * fixed.constant(kLine1 * scale * scale * scale);
    }
    slope_product[j] = slope * variance[j];
    start.varies[j] = bit[0];
    start.between[j] = bit[count - 1] - bit[0];  // not constant, but below the range
    start.above[j] = bit[pieces];
  }
  const FpVector sloped = truncate(fixed.session, fixed.label(Phase::root, first, 2), slope_product, fixed.bits, 82);
  for (std::size_t j = 0; j < variance.size(); ++j) start.inverse_root[j] += sloped[j];
  return start;
}

// Goldschmidt iterations: bring the roots of the spline within 9e-7 (relative); a 0 stays 0. 5 rounds.
void correct(const Fixed& fixed, std::uint32_t first, std::span<const Fp> variance, FpVector& root) {
  Session& s = fixed.session;
  FpVector g = truncate(s, fixed.label(Phase::root, first + 1, 1), product(variance, root), fixed.bits, 82);
  for (int k = 0; k < kCorrections; ++k) {
    const FpVector rest =
        rest_of(fixed, truncate(s, fixed.label(Phase::root, first + 2 + k, 1), product(g, root), fixed.bits, 82));
    const FpVector both = truncate(s, fixed.label(Phase::root, first + 2 + k, 2),
                                   concatenate(product(g, rest), product(root, rest)), fixed.bits + 1, 82);
    add(g, both, 0);
    add(root, both, g.size());
  }
}
}  // namespace

int moment_bits(std::size_t rows) {
  constexpr u128 kProduct = ((u128{1} << 30) + 2) * ((u128{1} << 30) + 2);
  int bits = 60;
  while (u128{1} << bits < kProduct * rows) ++bits;
  return bits;
}

Moments joined_moments(const Fixed& fixed, std::span<const FpVector> columns, const CancelToken& cancel) {
  return joined_moments(fixed, columns, gram(columns, cancel));
}

Moments joined_moments(const Fixed& fixed, std::span<const FpVector> columns, FpVector products) {
  Moments m;
  m.rows = columns[0].size();
  while ((std::size_t{1} << m.log_rows) < m.rows) ++m.log_rows;
  m.counts = std::move(products);
  const std::size_t pairs = m.counts.size();
  // One opening for both kinds. The sums become means by the factor 2^L/n, which is in [1, 2). A fixed-point constant
  // 1/n would lose its digits.
  const int factor_bits = mean_bound(m.log_rows) - 31 - m.log_rows;
  const Fp factor = Fp::from_int(std::llround(std::ldexp(1.0, m.log_rows + factor_bits) / static_cast<double>(m.rows)));
  FpVector values = m.counts.clone();
  for (const FpVector& column : columns) {
    Fp sum;
    for (const Fp& x : column) sum += x;
    values.push_back(sum * factor);
  }
  const Stretch bounds[] = {{pairs, moment_bits(m.rows)}, {columns.size(), mean_bound(m.log_rows)}};
  const Opened opened = masked_open(fixed.session, fixed.label(Phase::moments, 0, 1), values, bounds);
  m.second = truncated(fixed.session, opened, 2 * kDataBits + m.log_rows - fixed.bits, 0, pairs);
  const int coarse = factor_bits + m.log_rows;  // leaves kDataBits fractional bits
  m.mean = truncated(fixed.session, opened, coarse + kDataBits - fixed.bits, pairs, columns.size());
  m.coarse_mean = truncated(fixed.session, opened, coarse, pairs, columns.size());
  return m;
}

InverseRoots inverse_roots(const Fixed& fixed, std::uint32_t id, std::span<const Fp> values) {
  Session& s = fixed.session;
  const std::uint32_t first = id * kLabelsPerCall;
  InverseRoots out = spline(fixed, first, values);
  correct(fixed, first, values, out.inverse_root);
  // One Newton step from freshly computed products: y + y (1 - v y^2) / 2.
  const FpVector t =
      truncate(s, fixed.label(Phase::root, first + 20, 1), product(values, out.inverse_root), fixed.bits, 82);
  const FpVector rest = rest_of(
      fixed, truncate(s, fixed.label(Phase::root, first + 20, 2), product(t, out.inverse_root), fixed.bits, 82));
  add(out.inverse_root,
      truncate(s, fixed.label(Phase::root, first + 20, 3), product(out.inverse_root, rest), fixed.bits + 1, 82), 0);
  return out;
}

ApproximateCorrelation approximate_correlation(const Fixed& fixed, const FpVector& covariance,
                                               const FpVector& reciprocal_sd, std::size_t attributes) {
  Session& s = fixed.session;
  const std::size_t d = attributes, columns = reciprocal_sd.size();
  FpVector products, values;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = i; j < d; ++j) {
      products.push_back(reciprocal_sd[i] * reciprocal_sd[j]);
      values.push_back(covariance[triangle_index(i, j, columns)]);
    }
  const Opened opened = masked_open(s, fixed.label(Phase::correlation, 0, 6), products, root_product_bound(fixed));
  products = truncated(s, opened, fixed.bits);
  return {from_upper(truncate(s, fixed.label(Phase::correlation, 0, 7), product(values, products), fixed.bits,
                              2 * fixed.bits + 3),
                     d),
          truncated(s, opened, 2 * fixed.bits - kRootProductBits)};
}

Standardised selected(const Standardised& all, std::span<const std::size_t> columns) {
  const std::size_t d = all.reciprocal_sd.size();
  Standardised out;
  out.correlation = selected(all.correlation, columns);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::size_t from = columns[i];
    out.reciprocal_sd.push_back(all.reciprocal_sd[from]);
    out.sd.push_back(all.sd[from]);
    out.varies.push_back(all.varies[from]);
    out.variance_violations.push_back(all.variance_violations[from]);
    for (std::size_t j = i; j < columns.size(); ++j) {
      out.covariance.push_back(all.covariance[triangle_index(from, columns[j], d)]);
    }
  }
  return out;
}

FpVector joined_means(const Fixed& fixed, const Moments& moments, const FpVector& owners, const TwoValued& two_valued) {
  FpVector out = moments.mean.clone(), products;
  for (Fp& mean : out) mean = shifted(mean, kMeanBits - fixed.bits);
  for (std::size_t k = 0; k < two_valued.columns.size(); ++k)
    products.push_back(moments.mean[two_valued.columns[k]] * two_valued.step[k]);
  if (!products.empty()) {
    // A mean of 0 and 1 times a step of at most 64.
    products = truncate(fixed.session, fixed.label(Phase::moments, 0, 2), products, fixed.bits + kStepBits - kMeanBits,
                        fixed.bits + kStepBits + 8);
    for (std::size_t k = 0; k < products.size(); ++k) out[two_valued.columns[k]] = products[k];
  }
  for (std::size_t j = 0; j < out.size(); ++j) out[j] += owners[j];
  return out;
}

namespace {
// For every pair of columns with a two-valued one: its place in a triangle, and the product of the steps.
struct PairSteps {
  std::vector<std::size_t> at;
  FpVector step;
};

// Returns the values to open for products of two steps. With one two-valued column the product is its step.
FpVector products_of_steps(const TwoValued& two_valued) {
  FpVector out;
  for (std::size_t a = 0; a < two_valued.columns.size(); ++a)
    for (std::size_t b = a; b < two_valued.columns.size(); ++b) out.push_back(two_valued.step[a] * two_valued.step[b]);
  return out;
}

PairSteps pair_steps(const TwoValued& two_valued, const FpVector& products, std::size_t d) {
  std::vector<std::size_t> place(d, two_valued.columns.size());
  for (std::size_t k = 0; k < two_valued.columns.size(); ++k) place[two_valued.columns[k]] = k;
  const std::size_t none = two_valued.columns.size();
  PairSteps out;
  std::size_t at = 0, next = 0;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = i; j < d; ++j, ++at) {
      if (place[i] == none && place[j] == none) continue;
      out.at.push_back(at);
      if (place[i] != none && place[j] != none)
        out.step.push_back(products[next++]);
      else
        out.step.push_back(two_valued.step[place[i] != none ? place[i] : place[j]]);
    }
  return out;
}
}  // namespace

Standardised standardise(const Fixed& fixed, const Moments& moments, const TwoValued& two_valued,
                         const ApproximateRoots& approximate_roots) {
  Session& s = fixed.session;
  const std::size_t d = moments.mean.size(), two = two_valued.columns.size();
  const Fp factor = fixed.constant(std::ldexp(1.0, moments.log_rows) / static_cast<double>(moments.rows));
  // covariance = 2^L/n * second moment - mean_i mean_j
  const std::size_t pairs = moments.second.size();
  FpVector raw(pairs);
  std::size_t at = 0;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = i; j < d; ++j, ++at) raw[at] = moments.second[at] * factor - moments.mean[i] * moments.mean[j];
  const FpVector steps_squared = products_of_steps(two_valued);
  const Stretch covariances[] = {{pairs, 2 * fixed.bits + 13}, {steps_squared.size(), 2 * kStepBits + 13}};
  const Opened covariance_and_steps =
      masked_open(s, fixed.label(Phase::correlation, 0, 2), concatenate(raw, steps_squared), covariances);
  Standardised out;
  out.covariance = truncated(s, covariance_and_steps, fixed.bits, 0, pairs);
  const PairSteps scaled_pairs =
      pair_steps(two_valued, truncated(s, covariance_and_steps, kStepBits, pairs, steps_squared.size()), d);
  FpVector variance(d);
  for (std::size_t i = 0; i < d; ++i) variance[i] = out.covariance[triangle_index(i, i, d)];
  InverseRoots roots = spline(fixed, 0, variance);
  if (approximate_roots) approximate_roots(out.covariance, roots.inverse_root);
  correct(fixed, 0, variance, roots.inverse_root);
  out.varies = std::move(roots.varies);
  out.variance_violations.resize(d);
  for (std::size_t i = 0; i < d; ++i) out.variance_violations[i] = roots.between[i] + roots.above[i];
  // The Newton step y + y e / 2 takes place in the rounds of the correlations. A correlation becomes
  // C_ij y_i y_j (1 + (e_i + e_j) / 2), without e_i e_j / 4 < 2^-40, and a deviation v y (1 + e / 2). Where y is 0, e is
  // 1 and all products are 0. The same rounds convert roots, deviations and covariances of two-valued columns to local
  // units.
  FpVector products;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = i; j < d; ++j) products.push_back(roots.inverse_root[i] * roots.inverse_root[j]);
  FpVector in_steps;
  for (std::size_t k = 0; k < two; ++k)
    in_steps.push_back(roots.inverse_root[two_valued.columns[k]] * two_valued.inverse_step[k]);
  for (std::size_t k = 0; k < scaled_pairs.at.size(); ++k)
    in_steps.push_back(out.covariance[scaled_pairs.at[k]] * scaled_pairs.step[k]);
  const Stretch wide[] = {{pairs, root_product_bound(fixed)},
                          {d, 82},
                          {two, fixed.bits + kStepBits + 7},
                          {scaled_pairs.at.size(), fixed.bits + kStepBits + 11}};
  const Opened first_round =
      masked_open(s, fixed.label(Phase::correlation, 0, 3),
                  concatenate(concatenate(products, product(variance, roots.inverse_root)), in_steps), wide);
  const FpVector first = truncated(s, first_round, fixed.bits, 0, pairs);
  FpVector sd = truncated(s, first_round, fixed.bits, pairs, d);
  const FpVector local_root = truncated(s, first_round, kStepBits, pairs + d, two);
  const FpVector local_covariance = truncated(s, first_round, kStepBits, pairs + d + two, scaled_pairs.at.size());
  FpVector second_values = concatenate(product(out.covariance, first), product(sd, roots.inverse_root));
  for (std::size_t k = 0; k < two; ++k) second_values.push_back(sd[two_valued.columns[k]] * two_valued.step[k]);
  const Stretch narrow[] = {{pairs, 2 * fixed.bits + 3}, {d, 82}, {two, fixed.bits + kStepBits + 12}};
  const Opened second_round = masked_open(s, fixed.label(Phase::correlation, 0, 4), second_values, narrow);
  FpVector correlation = truncated(s, second_round, fixed.bits, 0, pairs);
  const FpVector e = rest_of(fixed, truncated(s, second_round, fixed.bits, pairs, d));
  const FpVector local_sd = truncated(s, second_round, kStepBits, pairs + d, two);
  for (std::size_t k = 0; k < two; ++k) {
    roots.inverse_root[two_valued.columns[k]] = local_root[k];
    sd[two_valued.columns[k]] = local_sd[k];
  }
  for (std::size_t k = 0; k < scaled_pairs.at.size(); ++k) out.covariance[scaled_pairs.at[k]] = local_covariance[k];
  FpVector steps;
  at = 0;
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = i; j < d; ++j, ++at) steps.push_back(correlation[at] * (e[i] + e[j]));
  steps = concatenate(concatenate(steps, product(roots.inverse_root, e)), product(sd, e));
  const Stretch fine[] = {{pairs, 2 * fixed.bits + 1}, {2 * d, 82}};
  const FpVector third =
      truncated(s, masked_open(s, fixed.label(Phase::correlation, 0, 5), steps, fine), fixed.bits + 1);
  add(correlation, third, 0);
  out.reciprocal_sd = std::move(roots.inverse_root);
  out.sd = std::move(sd);
  add(out.reciprocal_sd, third, pairs);
  add(out.sd, third, pairs + d);
  out.correlation = from_upper(correlation, d);
  for (std::size_t i = 0; i < d; ++i) out.correlation(i, i) = fixed.one();
  return out;
}

}  // namespace pgmpc
