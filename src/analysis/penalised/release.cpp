// Implements the change to original scale and the rounding of released numbers.
#include "analysis/penalised/release.h"

#include "analysis/penalised/convergence.h"
#include "base/mutants.h"
#include "disclosure/rounding.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {
// Returns mean_j * unscale_j, kProductBits. With a quadratic part unscale_j is a public factor of 28 bits and an
// exponent.
FpVector scaled_means(const Fixed& fixed, const Problem& p, const FpVector& mean) {
  constexpr int kFactorBits = 28;
  const bool plain = p.shrink.empty();
  const std::size_t d = p.b.size();
  FpVector values(d), out(d);
  std::vector<int> exponent(d);
  for (std::size_t j = 0; j < d; ++j) {
    const double factor = std::ldexp(std::frexp(p.unscale[j], &exponent[j]), kFactorBits);
    values[j] = plain ? mean[j] : mean[j] * Fp::from_int(std::llround(factor));
  }
  const Opened opened = masked_open(fixed.session, fixed.label(Phase::release, p.index, 2), values,
                                    plain ? kMeanBound : kMeanBound + kFactorBits);
  for (std::size_t j = 0; j < d; ++j) {
    const int shift = kMeanBits - kProductBits + (plain ? 0 : kFactorBits - exponent[j]);
    out[j] = truncated(fixed.session, opened, shift, j, 1)[0];
  }
  return out;
}

}  // namespace

Scaled unscale(const Fixed& fixed, const Problem& p, const Fp& outcome_sd, const FpVector& u) {
  Session& s = fixed.session;
  const std::size_t d = u.size();
  // u'b is z'b, and u'(gram - diag(shrink))u is z'Gz.
  FpVector values = multiply(*p.gram, u);
  Fp length;
  for (std::size_t j = 0; j < d; ++j) {
    if (!p.shrink.empty()) values[j] -= p.shrink[j] * u[j];
    values.push_back(shifted(u[j], p.amplify[j]) * p.inverse_root[j]);
    length += u[j] * u[j];
  }
  values.push_back(length);
  // |u| of a valid model is below 2^(kLengthLimit/2). An invalid one is still in range here and is refused later.
  const Stretch bounds[] = {{2 * d, 2 * fixed.bits + kLengthLimit + 1}, {1, kLengthBound}};
  const Opened opened = masked_open(s, fixed.label(Phase::fit, p.index, 1), values, bounds);
  const FpVector rounded = truncated(s, opened, fixed.bits);
  Scaled out;
  out.coefficient.resize(d);
  for (std::size_t j = 0; j < d; ++j) {
    out.coefficient[j] = rounded[d + j] * outcome_sd;
    out.fit += u[j] * (p.b[j] + p.b[j] - rounded[j]);
  }
  out.length = rounded[2 * d];
  return out;
}

Fp intercept_of(const Fixed& fixed, TaskGroup& tasks, const Problem& p, const FpVector& mean, const Scaled& scaled) {
  const std::size_t d = p.b.size();
  FpVector means;
  const auto coarse_means = tasks.spawn([&] { means = scaled_means(fixed, p, mean); });
  const FpVector coarse = truncate(fixed.session, fixed.label(Phase::release, p.index, 1), scaled.coefficient,
                                   2 * fixed.bits - kProductBits, 82);
  tasks.join(coarse_means);
  // The mean of the outcome minus coefficients times means.
  Fp intercept = shifted(mean[d], 2 * kProductBits - kMeanBits);
  for (std::size_t j = 0; j < d; ++j) intercept -= coarse[j] * means[j];
  return intercept;
}

void round_exactly(const Fixed& fixed, TaskGroup& tasks, const Problem& p, const FpVector& mean, const Scaled& scaled,
                   ModelShares& model) {
  Session& s = fixed.session;
  const auto coefficients = tasks.spawn([&] {
    model.values =
        exact_truncate(s, fixed.label(Phase::release, p.index, 3), model.wide, 2 * fixed.bits - kReleaseBits, 82);
  });
  const FpVector wide = {intercept_of(fixed, tasks, p, mean, scaled)};
  const FpVector intercept =
      exact_truncate(s, fixed.label(Phase::release, p.index, 4), wide, 2 * kProductBits - kReleaseBits, 84);
  tasks.join(coefficients);
  model.values.push_back(intercept[0]);
  model.grid.assign(model.values.size(), -kReleaseBits);
}

bool rounds_to_grid(Precision precision) { return precision != Precision::exact && !mutant(Mutant::unrounded_release); }

void round_to_grid(const Fixed& fixed, TaskGroup& tasks, const ReleaseGrid& grid, std::size_t rows, Precision precision,
                   const std::vector<RoundedModel>& models) {
  FpVector shares;
  for (const RoundedModel& each : models)
    shares.insert(shares.end(), each.model->exponents.begin(), each.model->exponents.end());
  const std::vector<int> exponents = open_exponents(fixed, shares, grid.lowest, grid_exponents(precision, rows));
  Rounding numbers(fixed, tasks, 100, 2 * fixed.bits, 82), intercepts(fixed, tasks, 200, 2 * kProductBits, 84);
  std::size_t at = 0;
  for (const RoundedModel& each : models) {
    ModelShares& model = *each.model;
    const std::size_t d = each.problem->b.size();
    model.values.resize(d + 2);
    model.grid.resize(d + 2);
    // A coefficient is the opened number times unscale, a power of two unless the quadratic part is capped.
    for (std::size_t j = 0; j < d; ++j)
      model.grid[j] =
          numbers.add(model.wide[j], exponents[at++] - std::ilogb(each.problem->unscale[j]), &model.values[j]);
    model.grid[d] = numbers.add(model.wide[d], r_squared_exponent(precision, rows), &model.values[d]);
    model.grid[d + 1] = intercepts.add(model.wide_intercept, exponents[at++], &model.values[d + 1]);
  }
  round_together(tasks, {&numbers, &intercepts});
}

}  // namespace pgmpc
