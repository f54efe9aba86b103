// Implements the change of scale that turns every penalty into a lasso on a correlation matrix.
#include "analysis/penalised/penalty.h"

#include <map>

#include "mpc/comparison.h"

namespace pgmpc {

namespace {
// Caps of the quadratic part, with standardize and without (there in local units). A larger part is replaced by the cap
// and the coefficients are corrected by a public factor. That is accurate because gram is then the identity to within
// 2^-30, and the solution is inversely proportional to the quadratic part.
constexpr double kMostStandardised = 0x1p30, kMostOriginal = 0x1p40;
constexpr int kMostPart = 6;  // log2 of the largest quadratic part on the scale of the roots

// Returns the l1 part on the scale of u: min(factor_j * scale_j, kMostThreshold). factor: public. scale: F bits.
FpVector saturated(const Fixed& fixed, std::uint32_t problem, const FpVector& scale, std::vector<double> factor) {
  // The factor is rounded to 31 significant bits, with at most 40 fractional ones. Coordinates with the same number of
  // fractional bits share a gate. With standardize there is one group.
  std::map<int, std::vector<std::size_t>> groups;
  for (std::size_t j = 0; j < factor.size(); ++j) {
    // The roots are bounded, so above 2^14 the threshold saturates anyway. The clamp keeps the product in range.
    factor[j] = std::min(factor[j], 0x1p14);
    groups[std::min(40, 30 - std::ilogb(std::max(factor[j], 0x1p-20)))].push_back(j);
  }
  FpVector out(factor.size());
  for (const auto& [bits, members] : groups) {
    FpVector room;
    for (std::size_t j : members)
      room.push_back(shifted(fixed.constant(kMostThreshold), bits) -
                     scale[j] * Fp::from_signed(static_cast<i128>(std::llround(std::ldexp(factor[j], bits)))));
    // min(t, most) = most - max(most - t, 0)
    const ReluResult r = relu_and_truncate(fixed.session, fixed.label(Phase::thresholds, problem, 10 + bits), room,
                                           room.size(), bits, bits, kCompareBound, false);
    for (std::size_t i = 0; i < members.size(); ++i) out[members[i]] = fixed.constant(kMostThreshold) - r.relu[i];
  }
  return out;
}

class ProblemMaker {
 public:
  ProblemMaker(const Fixed& fixed, std::uint32_t index, const Standardised& standard,
               const std::vector<ColumnDescription>& columns, bool standardize, Penalty penalty)
      : fixed_(fixed),
        s_(fixed.session),
        standard_(standard),
        columns_(columns),
        standardize_(standardize),
        penalty_(penalty),
        d_(columns.size() - 1) {
    p_.index = index;
    p_.unscale.assign(d_, 1);
    p_.amplify.assign(d_, 0);
  }

  Problem make(std::shared_ptr<const Matrix> gram) {
    p_.inverse_root =
        FpVector(standard_.reciprocal_sd.begin(), standard_.reciprocal_sd.begin() + static_cast<std::ptrdiff_t>(d_));
    if (penalty_.quadratic == 0)
      plain(std::move(gram));
    else if (standardize_)
      standardised(*gram);
    else
      original();
    if (penalty_.l1 > 0) p_.thresholds = thresholds();
    return std::move(p_);
  }

 private:
  void plain(std::shared_ptr<const Matrix> gram) {
    p_.gram = std::move(gram);
    p_.b.resize(d_);
    for (std::size_t j = 0; j < d_; ++j) p_.b[j] = standard_.correlation(j, d_);
  }

  // All factors are public: correlations are divided by 1 + q, those with the outcome by sqrt(1 + q). One round.
  void standardised(const Matrix& gram) {
    const double q = std::min(penalty_.quadratic, kMostStandardised);
    root_factor_ = 1 / std::sqrt(1 + q);
    // u shrinks with 1 / sqrt(1 + q). `lost` whole bits of that are restored before the coefficients are rounded
    // (amplify). The rest, below a factor of 2, goes into the roots.
    const int lost = std::max(0, std::ilogb(std::sqrt(1 + q)));
    FpVector values = upper(gram);
    const std::size_t half = values.size();
    for (Fp& x : values) x *= fixed_.constant(1 / (1 + q));
    for (std::size_t j = 0; j < d_; ++j) values.push_back(standard_.correlation(j, d_) * fixed_.constant(root_factor_));
    for (std::size_t j = 0; j < d_; ++j)
      values.push_back(p_.inverse_root[j] * fixed_.constant(std::ldexp(root_factor_, lost)));
    const Stretch bounds[] = {{half + d_, 2 * fixed_.bits + 1}, {d_, 2 * fixed_.bits + 7}};
    const Opened opened = masked_open(s_, fixed_.label(Phase::penalty, p_.index, 1), values, bounds);
    set_gram(truncated(s_, opened, fixed_.bits, 0, half));
    p_.b = truncated(s_, opened, fixed_.bits, half, d_);
    p_.inverse_root = truncated(s_, opened, fixed_.bits, half + d_, d_);
    p_.shrink.resize(d_);
    for (Fp& x : p_.shrink) x = fixed_.constant(q / (1 + q));
    p_.least = q / (1 + q);
    p_.amplify.assign(d_, lost);
    p_.unscale.assign(d_, std::ldexp((1 + q) / (1 + penalty_.quadratic), -2 * lost));
  }

  // Each secret variance grows by a public part. A column with a large part uses coarser units, 2^coarse_j.
  void original() {
    std::vector<double> part(d_);  // quadratic part in coarser local units
    coarse_.assign(d_, 0);
    for (std::size_t j = 0; j < d_; ++j) {
      const double exact = std::ldexp(penalty_.quadratic, -2 * columns_[j].exponent);
      const double used = std::min(exact, kMostOriginal);
      coarse_[j] = used > std::ldexp(1.0, kMostPart) ? (std::ilogb(used) - kMostPart) / 2 + 1 : 0;
      part[j] = std::ldexp(used, -2 * coarse_[j]);
      p_.amplify[j] = coarse_[j];
      p_.unscale[j] = std::ldexp(used / exact, -2 * coarse_[j]);
    }
    InverseRoots roots = inverse_roots(fixed_, p_.index + 1, penalised_variances(part));
    p_.inverse_root = std::move(roots.inverse_root);
    p_.variance_violations = std::move(roots.above);
    correlations(part);
  }

  // A column without variance keeps the variance 0, hence the inverse root 0 and the coefficient 0. One round.
  FpVector penalised_variances(const std::vector<double>& part) {
    FpVector values(d_), out(d_);
    for (std::size_t j = 0; j < d_; ++j)
      values[j] = standard_.varies[j] * standard_.covariance[triangle_index(j, j, d_ + 1)];
    const Opened opened = masked_open(s_, fixed_.label(Phase::penalty, p_.index, 2), values, fixed_.bits + 13);
    for (std::size_t j = 0; j < d_; ++j)
      out[j] = truncated(s_, opened, 2 * coarse_[j], j, 1)[0] + standard_.varies[j] * fixed_.constant(part[j]);
    return out;
  }

  // Computes C_ij / sqrt(v_i v_j), and the same with the outcome, in two rounds. In coarser units an inverse root is
  // at most 2^-2, so no product exceeds 2^5: |C_ij| <= 2^10, and a standard deviation times its inverse root is at
  // most 1.
  void correlations(const std::vector<double>& part) {
    FpVector roots;
    for (std::size_t i = 0; i < d_; ++i)
      for (std::size_t j = i; j <= d_; ++j)
        roots.push_back(p_.inverse_root[i] * (j < d_ ? p_.inverse_root[j] : standard_.reciprocal_sd[d_]));
    roots = truncate(s_, fixed_.label(Phase::penalty, p_.index, 3), roots, fixed_.bits, 2 * fixed_.bits + 13);
    FpVector values(roots.size());
    std::size_t at = 0;
    for (std::size_t i = 0; i < d_; ++i)
      for (std::size_t j = i; j <= d_; ++j, ++at)
        values[at] =
            roots[at] * (i == j ? fixed_.constant(part[i]) : standard_.covariance[triangle_index(i, j, d_ + 1)]);
    const Opened opened = masked_open(s_, fixed_.label(Phase::penalty, p_.index, 4), values, 2 * fixed_.bits + 7);
    auto own = std::make_shared<Matrix>(d_);
    p_.b.resize(d_);
    p_.shrink.resize(d_);
    at = 0;
    for (std::size_t i = 0; i < d_; ++i)
      for (std::size_t j = i; j <= d_; ++j, ++at) {
        const int shift = fixed_.bits + (i == j ? 0 : coarse_[i] + (j < d_ ? coarse_[j] : 0));
        const Fp value = truncated(s_, opened, shift, at, 1)[0];
        if (i == j)
          p_.shrink[i] = value, (*own)(i, i) = fixed_.one();
        else if (j < d_)
          (*own)(i, j) = (*own)(j, i) = value;
        else
          p_.b[i] = value;
      }
    p_.gram = std::move(own);
  }

  void set_gram(const FpVector& triangle) {
    auto own = std::make_shared<Matrix>(from_upper(triangle, d_));
    for (std::size_t j = 0; j < d_; ++j) (*own)(j, j) = fixed_.one();
    p_.gram = std::move(own);
  }

  // Thresholds are l1 / (sd_y sqrt(1 + quadratic)) with standardize, else l1 / (sqrt(v_j) sd_y).
  FpVector thresholds() {
    FpVector scale(d_);
    std::vector<double> factor(d_);
    const int outcome = columns_[d_].exponent;
    for (std::size_t j = 0; j < d_; ++j) {
      if (standardize_) {
        scale[j] = standard_.reciprocal_sd[d_];
        factor[j] = std::ldexp(penalty_.l1 * root_factor_, -outcome);
      } else {
        scale[j] = p_.inverse_root[j] * standard_.reciprocal_sd[d_];
        const int coarse = coarse_.empty() ? 0 : coarse_[j];
        factor[j] = std::ldexp(penalty_.l1, -outcome - columns_[j].exponent - coarse);
      }
    }
    if (!standardize_) scale = truncate(s_, fixed_.label(Phase::thresholds, p_.index, 1), scale, fixed_.bits, 82);
    return saturated(fixed_, p_.index, scale, std::move(factor));
  }

  const Fixed& fixed_;
  Session& s_;
  const Standardised& standard_;
  const std::vector<ColumnDescription>& columns_;
  bool standardize_;
  Penalty penalty_;
  std::size_t d_;
  double root_factor_ = 1;   // 1 / sqrt(1 + quadratic) when standardize
  std::vector<int> coarse_;  // empty unless original() ran
  Problem p_;
};
}  // namespace

Problem make_problem(const Fixed& fixed, std::uint32_t index, const Standardised& standard,
                     std::shared_ptr<const Matrix> gram, const std::vector<ColumnDescription>& columns,
                     bool standardize, Penalty penalty) {
  return ProblemMaker(fixed, index, standard, columns, standardize, penalty).make(std::move(gram));
}

}  // namespace pgmpc
