#include "regression/analysis.h"

#include <map>

#include "base/error.h"
#include "mpc/comparison.h"
#include "regression/precheck.h"
#include "regression/solver.h"
#include "regression/standardise.h"

namespace pgmpc {

namespace {
constexpr int kLengthLimit = 14;  // log2 of the largest |z|^2 of a valid model
constexpr double kFitSlack = 0x1p-10;

// Everything the problems of one analysis share.
struct Prepared {
  Standardised standard;
  Matrix gram;   // attributes only
  FpVector b;    // correlations with the outcome
  FpVector mean;  // owner's mean + joined mean, local units, kMeanBits
};

Prepared prepare(const Fixed& fixed, AnalysisRequest& request, const CancelToken& cancel) {
  const Moments moments = joined_moments(fixed, request.columns, cancel);
  request.columns.clear();
  precheck(fixed, moments, request.described, request.min_level_count);
  Prepared p;
  p.mean = request.means.clone();
  for (std::size_t j = 0; j < p.mean.size(); ++j) p.mean[j] += shifted(moments.mean[j], kMeanBits - fixed.bits);
  p.standard = standardise(fixed, moments);
  const std::size_t d = p.standard.root.size() - 1;
  p.gram = Matrix(d);
  p.b.resize(d);
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < d; ++j) p.gram(i, j) = p.standard.correlation(i, j);
    p.b[i] = p.standard.correlation(i, d);
  }
  return p;
}

// lambda on the correlation scale: lambda / sd_y, and without standardize lambda / (sd_j sd_y), at most kMostThreshold.
FpVector thresholds(const Fixed& fixed, std::uint32_t problem, const Prepared& p, const AnalysisRequest& request,
                    double lambda) {
  Session& s = fixed.session;
  const std::size_t d = p.b.size();
  FpVector scale(d);
  if (request.standardize) {
    for (Fp& x : scale) x = p.standard.root[d];
  } else {
    for (std::size_t j = 0; j < d; ++j) scale[j] = p.standard.root[j] * p.standard.root[d];
    scale = truncate(s, label(Phase::thresholds, problem, 1), scale, fixed.bits, 82);
  }
  // Per coordinate: factor * scale with as many fractional bits as 31 bits of the factor allow. Coordinates with the
  // same number of bits share a gate; with standardize there is one group.
  std::map<int, std::vector<std::size_t>> groups;
  std::vector<double> factor(d);
  for (std::size_t j = 0; j < d; ++j) {
    const int exponent = request.described[d].exponent + (request.standardize ? 0 : request.described[j].exponent);
    // Above 2^14 the threshold saturates whatever the (bounded) roots are; the clamp keeps the product in range.
    factor[j] = std::min(std::ldexp(lambda, -exponent), 0x1p14);
    groups[std::min(40, 30 - std::ilogb(std::max(factor[j], 0x1p-20)))].push_back(j);
  }
  FpVector out(d);
  for (const auto& [bits, members] : groups) {
    FpVector room;
    for (std::size_t j : members)
      room.push_back(shifted(fixed.constant(kMostThreshold), bits) -
                     scale[j] * Fp::from_signed(static_cast<i128>(std::llround(std::ldexp(factor[j], bits)))));
    // min(t, most) = most - max(most - t, 0)
    const ReluResult r =
        relu_and_truncate(s, label(Phase::thresholds, problem, 10 + bits), room, room.size(), bits, bits, kCompareBound, false);
    for (std::size_t i = 0; i < members.size(); ++i) out[members[i]] = fixed.constant(kMostThreshold) - r.relu[i];
  }
  return out;
}

struct Scaled {
  FpVector coefficient;  // degree 2, 2F bits: z_j / sd_j * sd_y
  Fp fit;                // degree 2, 2F bits: R^2 = 2 z'b - z'Gz
  Fp fit_rounded;        // F bits
  Fp length;             // |z|^2, F bits
};

Scaled unscale(const Fixed& fixed, std::uint32_t problem, const Prepared& p, const FpVector& z) {
  Session& s = fixed.session;
  const std::size_t d = z.size();
  FpVector values = multiply(p.gram, z);
  Fp length;
  for (std::size_t j = 0; j < d; ++j) {
    values.push_back(z[j] * p.standard.root[j]);
    length += z[j] * z[j];
  }
  values.push_back(length);
  const FpVector rounded = truncate(s, label(Phase::fit, problem, 1), values, fixed.bits, 2 * fixed.bits + kLengthLimit + 1);
  Scaled out;
  out.coefficient.resize(d);
  for (std::size_t j = 0; j < d; ++j) {
    out.coefficient[j] = rounded[d + j] * p.standard.sd[d];
    out.fit += z[j] * (p.b[j] + p.b[j] - rounded[j]);
  }
  out.length = rounded[2 * d];
  const FpVector fit = {out.fit};
  out.fit_rounded = truncate(s, label(Phase::fit, problem, 2), fit, fixed.bits, 82)[0];
  return out;
}

// The validity bit (rule F14): variances in range, the outcome not constant, |z|^2 and R^2 plausible.
void check_valid(const Fixed& fixed, std::uint32_t problem, const Prepared& p, const Scaled& scaled) {
  Fp faults;
  for (const Fp& fault : p.standard.variance_faults) faults += fault;
  const Fp slack = fixed.constant(kFitSlack);
  const std::size_t outcome = p.b.size();
  const FpVector rooms = {fixed.constant(std::ldexp(1.0, kLengthLimit)) - scaled.length, scaled.fit_rounded + slack,
                          fixed.one() + slack - scaled.fit_rounded,
                          p.standard.sd[outcome] - fixed.constant(0x1p-7)};
  const std::vector<i128> zero = {0};
  for (const Fp& bit : at_least(fixed.session, label(Phase::validity, problem, 1), rooms, zero))
    faults += Fp::from_int(1) - bit;
  if (!no_faults(fixed, Phase::validity, problem, 2, faults))
    throw Error(ErrorCode::refused, "the result failed its validity check and was not opened",
                "checked together under MPC: the outcome varies over the joined rows, the variance of every column is in "
                "range, the coefficients and R^2 are plausible; which one failed is not known to any party",
                "leave out columns that are almost constant or hold extreme values, then propose a new version");
}

// Opens coefficients, intercept and R^2 through exact truncations.
Model release(const Fixed& fixed, std::uint32_t problem, const Prepared& p, const Scaled& scaled,
              const AnalysisRequest& request) {
  Session& s = fixed.session;
  const std::size_t d = p.b.size();
  constexpr int kProductBits = 32;  // fractional bits of both factors of the intercept's products
  const FpVector coarse =
      truncate(s, label(Phase::release, problem, 1), scaled.coefficient, 2 * fixed.bits - kProductBits, 82);
  const FpVector means = truncate(s, label(Phase::release, problem, 2), p.mean, kMeanBits - kProductBits, 60);
  FpVector intercept = {shifted(p.mean[d], 2 * kProductBits - kMeanBits)};
  for (std::size_t j = 0; j < d; ++j) intercept[0] -= coarse[j] * means[j];
  FpVector values = scaled.coefficient.clone();
  values.push_back(scaled.fit);
  FpVector exact = exact_truncate(s, label(Phase::release, problem, 3), values, 2 * fixed.bits - kReleaseBits, 82);
  exact.push_back(
      exact_truncate(s, label(Phase::release, problem, 4), intercept, 2 * kProductBits - kReleaseBits, 84)[0]);
  const std::vector<Fp> opened = open(s, exact, request.recipients);
  Model model;
  model.received = !opened.empty();
  if (!model.received) return model;
  auto value = [&](std::size_t i) { return std::ldexp(static_cast<double>(opened[i].to_signed()), -kReleaseBits); };
  const int outcome = request.described[d].exponent;
  for (std::size_t j = 0; j < d; ++j)
    model.coefficients.push_back(std::ldexp(value(j), outcome - request.described[j].exponent));
  model.r_squared = value(d);
  model.intercept = std::ldexp(value(d + 1), outcome);
  return model;
}
}  // namespace

std::vector<Model> analyse(Session& session, AnalysisRequest request, const CancelToken& cancel,
                           const AnalysisProgress& progress) {
  const std::size_t columns = request.columns.size();
  const Fixed fixed{session, Fixed::bits_for(columns, request.lambdas.size())};
  const std::size_t total = request.lambdas.size();
  if (progress) progress("standardise", 0, total);
  const Prepared prepared = prepare(fixed, request, cancel);
  std::vector<Model> models;
  for (std::uint32_t problem = 0; problem < total; ++problem) {
    const double lambda = request.lambdas[problem];
    const FpVector t = thresholds(fixed, problem, prepared, request, lambda);
    const Solution solution =
        solve_lasso(fixed, problem, prepared.gram, prepared.b, t, request.max_iterations, cancel, [&](int k) {
          if (progress) progress("solve", static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(request.max_iterations));
        });
    if (!solution.converged)
      throw Error(ErrorCode::not_converged, "the solver did not converge; nothing was opened",
                  "lambda number " + std::to_string(problem + 1) + " after " + std::to_string(solution.iterations) + " iterations",
                  "propose a new version with a larger analysis.max_iterations or a larger lambda");
    const Scaled scaled = unscale(fixed, problem, prepared, solution.z);
    check_valid(fixed, problem, prepared, scaled);
    Model model = release(fixed, problem, prepared, scaled, request);
    model.lambda = lambda;
    model.iterations = solution.iterations;
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace pgmpc
