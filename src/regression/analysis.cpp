#include "regression/analysis.h"

#include <map>

#include "base/error.h"
#include "mpc/comparison.h"
#include "mpc/task_group.h"
#include "regression/inverse.h"
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
  Matrix gram;    // attributes only
  FpVector b;     // correlations with the outcome
  FpVector mean;  // owner's mean + joined mean, local units, kMeanBits
};

Prepared prepare(const Fixed& fixed, TaskGroup& tasks, AnalysisRequest& request, const CancelToken& cancel) {
  const Moments moments = joined_moments(fixed, request.columns, cancel);
  request.columns.clear();
  // Over before the first iteration; meanwhile the correlations are made, whose bounds do not rely on it.
  const auto check = tasks.spawn([&] { precheck(fixed, moments, request.described, request.min_level_count); });
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
  tasks.join(check);
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
    const ReluResult r = relu_and_truncate(s, label(Phase::thresholds, problem, 10 + bits), room, room.size(), bits,
                                           bits, kCompareBound, false);
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
  const FpVector rounded =
      truncate(s, label(Phase::fit, problem, 1), values, fixed.bits, 2 * fixed.bits + kLengthLimit + 1);
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

// Secret 0/1 faults of one model (rule F14): the outcome not constant, |z|^2 and R^2 plausible.
Fp model_faults(const Fixed& fixed, std::uint32_t problem, const Prepared& p, const Scaled& scaled) {
  const Fp slack = fixed.constant(kFitSlack);
  const FpVector rooms = {fixed.constant(std::ldexp(1.0, kLengthLimit)) - scaled.length, scaled.fit_rounded + slack,
                          fixed.one() + slack - scaled.fit_rounded, p.standard.sd[p.b.size()] - fixed.constant(0x1p-7)};
  const std::vector<i128> zero = {0};
  Fp faults;
  for (const Fp& bit : at_least(fixed.session, label(Phase::validity, problem, 1), rooms, zero))
    faults += Fp::from_int(1) - bit;
  return faults;
}

// Coefficients, R^2 and the intercept with kReleaseBits, exactly rounded, still shared.
FpVector rounded_model(const Fixed& fixed, TaskGroup& tasks, std::uint32_t problem, const Prepared& p,
                       const Scaled& scaled) {
  Session& s = fixed.session;
  const std::size_t d = p.b.size();
  FpVector exact;
  const auto coefficients = tasks.spawn([&] {
    FpVector values = scaled.coefficient.clone();
    values.push_back(scaled.fit);
    exact = exact_truncate(s, label(Phase::release, problem, 3), values, 2 * fixed.bits - kReleaseBits, 82);
  });
  // The intercept: mean of the outcome minus coefficients times means, both factors with kProductBits.
  constexpr int kProductBits = 32;
  FpVector means;
  const auto coarse_means = tasks.spawn(
      [&] { means = truncate(s, label(Phase::release, problem, 2), p.mean, kMeanBits - kProductBits, 60); });
  const FpVector coarse =
      truncate(s, label(Phase::release, problem, 1), scaled.coefficient, 2 * fixed.bits - kProductBits, 82);
  tasks.join(coarse_means);
  FpVector intercept = {shifted(p.mean[d], 2 * kProductBits - kMeanBits)};
  for (std::size_t j = 0; j < d; ++j) intercept[0] -= coarse[j] * means[j];
  intercept = exact_truncate(s, label(Phase::release, problem, 4), intercept, 2 * kProductBits - kReleaseBits, 84);
  tasks.join(coefficients);
  exact.push_back(intercept[0]);
  return exact;
}

// One solved problem, nothing of it opened yet.
struct Candidate {
  int iterations = 0;
  bool converged = false;
  Fp faults;
  FpVector values;  // coefficients, R^2, intercept: kReleaseBits
};

Candidate solve(const Fixed& fixed, TaskGroup& tasks, const Prepared& p, const Matrix& start_inverse,
                std::uint32_t problem, FpVector t, const AnalysisRequest& request, const CancelToken& cancel,
                const AnalysisProgress& progress) {
  const LassoProblem lasso{problem, p.gram, start_inverse, p.b, std::move(t)};
  const Solution solution = solve_lasso(fixed, tasks, lasso, request.max_iterations, cancel, [&](int k) {
    if (progress && problem == 0)
      progress("solve", static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(request.max_iterations));
  });
  Candidate out;
  out.iterations = solution.iterations;
  out.converged = solution.converged;
  if (!out.converged) return out;
  const Scaled scaled = unscale(fixed, problem, p, solution.z);
  const auto check = tasks.spawn([&] { out.faults = model_faults(fixed, problem, p, scaled); });
  out.values = rounded_model(fixed, tasks, problem, p, scaled);
  tasks.join(check);
  return out;
}

std::vector<Candidate> solve_all(const Fixed& fixed, TaskGroup& tasks, const Prepared& p,
                                 const AnalysisRequest& request, const CancelToken& cancel,
                                 const AnalysisProgress& progress) {
  const std::size_t d = p.b.size(), total = request.lambdas.size();
  std::vector<FpVector> t(total);
  std::vector<TaskGroup::Handle> running;
  for (std::uint32_t k = 0; k < total; ++k)
    running.push_back(tasks.spawn([&, k] { t[k] = thresholds(fixed, k, p, request, request.lambdas[k]); }));
  Matrix shifted_gram = p.gram.clone();
  for (std::size_t j = 0; j < d; ++j) shifted_gram(j, j) += fixed.constant(kStartMetric);
  const Matrix start =
      inverse(fixed, start_inverse_id(), shifted_gram, static_cast<double>(d) + kStartMetric, kStartMetric, cancel);
  for (const auto& task : running) tasks.join(task);
  running.clear();
  std::vector<Candidate> out(total);
  for (std::uint32_t k = 0; k < total; ++k)
    running.push_back(
        tasks.spawn([&, k] { out[k] = solve(fixed, tasks, p, start, k, std::move(t[k]), request, cancel, progress); }));
  for (const auto& task : running) tasks.join(task);
  return out;
}

// One validity bit for all models; then, and only then, everything is opened in one round.
std::vector<Model> release(const Fixed& fixed, const Prepared& p, const std::vector<Candidate>& candidates,
                           const AnalysisRequest& request) {
  for (std::size_t k = 0; k < candidates.size(); ++k)
    if (!candidates[k].converged)
      throw Error(ErrorCode::not_converged, "the solver did not converge; nothing was opened",
                  "lambda number " + std::to_string(k + 1) + " after " + std::to_string(candidates[k].iterations) +
                      " iterations",
                  "propose a new version with a larger analysis.max_iterations or a larger lambda");
  Fp faults;
  for (const Fp& fault : p.standard.variance_faults) faults += fault;
  FpVector values;
  for (const Candidate& candidate : candidates) {
    faults += candidate.faults;
    values.insert(values.end(), candidate.values.begin(), candidate.values.end());
  }
  if (!no_faults(fixed, Phase::validity, 0, 2, faults))
    throw Error(
        ErrorCode::refused, "the result failed its validity check and was not opened",
        "checked together under MPC: the outcome varies over the joined rows, the variance of every column is in "
        "range, the coefficients and R^2 are plausible; which one failed is not known to any party",
        "leave out columns that are almost constant or hold extreme values, then propose a new version");
  const std::vector<Fp> opened = open(fixed.session, static_cast<std::uint16_t>(Phase::release), values, request.recipients);
  const std::size_t d = p.b.size();
  const int outcome = request.described[d].exponent;
  std::vector<Model> models;
  for (std::size_t k = 0; k < candidates.size(); ++k) {
    Model model;
    model.lambda = request.lambdas[k];
    model.iterations = candidates[k].iterations;
    model.received = !opened.empty();
    auto value = [&](std::size_t i) {
      return std::ldexp(static_cast<double>(opened[k * (d + 2) + i].to_signed()), -kReleaseBits);
    };
    if (model.received) {
      for (std::size_t j = 0; j < d; ++j)
        model.coefficients.push_back(std::ldexp(value(j), outcome - request.described[j].exponent));
      model.r_squared = value(d);
      model.intercept = std::ldexp(value(d + 1), outcome);
    }
    models.push_back(std::move(model));
  }
  return models;
}
}  // namespace

std::vector<Model> analyse(Session& session, AnalysisRequest request, const CancelToken& cancel,
                           const AnalysisProgress& progress) {
  const std::size_t columns = request.columns.size();
  const Fixed fixed{session, Fixed::bits_for(columns, request.columns[0].size(), request.lambdas.size())};
  if (progress) progress("standardise", 0, 1);
  TaskGroup tasks(session);
  const Prepared prepared = prepare(fixed, tasks, request, cancel);
  const std::vector<Candidate> candidates = solve_all(fixed, tasks, prepared, request, cancel, progress);
  if (progress) progress("release", 0, 1);
  return release(fixed, prepared, candidates, request);
}

}  // namespace pgmpc
