#include "regression/analysis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "base/mutants.h"
#include "mpc/comparison.h"
#include "mpc/task_group.h"
#include "regression/design.h"
#include "regression/inverse.h"
#include "regression/penalty.h"
#include "regression/precheck.h"
#include "regression/precision.h"
#include "regression/release.h"
#include "regression/ridge.h"
#include "regression/solver.h"
#include "regression/standardise.h"

namespace pgmpc {

namespace {
constexpr double kFitSlack = 0x1p-10;

// Everything the problems of one analysis share.
struct Prepared {
  Standardised standard;
  std::shared_ptr<const Matrix> gram;  // correlations of the attributes
  FpVector mean;                       // owner's mean + joined mean, local units, kMeanBits
  // Of gram + kStartMetric I, for the problems without a quadratic part; from roots that are within 2.3 %, which a
  // near inverse may rely on, so that it is made while the roots are finished.
  std::shared_ptr<Matrix> start_inverse = std::make_shared<Matrix>();
  TaskGroup::Handle making_start_inverse;  // null: no problem needs it
  std::size_t rows = 0;
  // Of the numbers to be released, made beside the solver; null for the exact release.
  std::shared_ptr<ReleaseGrid> grid = std::make_shared<ReleaseGrid>();
  TaskGroup::Handle making_grid;
  TaskGroup::Handle check;  // of the disclosure rules: throws where the study is refused
};

bool needs_start_inverse(const Penalty& penalty) { return penalty.l1 > 0 && penalty.quadratic == 0; }

TwoValued two_valued_columns(const AnalysisRequest& request) {
  TwoValued out;
  for (std::size_t j = 0; j < request.described.size(); ++j) {
    if (!request.described[j].binary) continue;
    out.columns.push_back(j);
    out.step.push_back(request.inputs.steps[j]);
    out.inverse_step.push_back(request.inputs.inverse_steps[j]);
  }
  return out;
}

// What is known of the rows once they are gone.
struct RowSums {
  Moments moments;
  GroupSums groups;
  StretchSums stretches;
};

RowSums sums_of_rows(const Fixed& fixed, AnalysisRequest& request, const CancelToken& cancel) {
  RowSums out;
  const std::size_t rows = request.columns[0].size();
  if (checks_leverage(request.rules)) {
    out.stretches = stretch_sums(request.columns, design_stretches(request.columns.size() - 1, rows), cancel);
    out.moments = joined_moments(fixed, request.columns, out.stretches.total.clone());
  } else {
    out.moments = joined_moments(fixed, request.columns, cancel);
  }
  out.groups = group_sums(request.columns, dominance_groups(request.rules.max_dominance, rows), cancel);
  request.columns.clear();
  return out;
}

// The one bit of all disclosure rules, made beside the standardisation and the first iterations. It is open before
// anything else is: stop bits wait for it, and so do the exponents, the validity bit and the release. Until then
// nothing leaves a party but masked values, whose distance from uniform is booked, and pseudorandom shares and keys,
// none of them of a size that depends on the data.
class Precheck : public std::enable_shared_from_this<Precheck> {
 public:
  Precheck(const Fixed& fixed, TaskGroup& tasks, RowSums sums, const AnalysisRequest& request,
           const CancelToken& cancel)
      : fixed_(fixed), tasks_(tasks), sums_(std::move(sums)), request_(request), cancel_(cancel) {}
  const Moments& moments() const { return sums_.moments; }

  void start() {
    rows_ = tasks_.spawn([self = shared_from_this()] {
      self->of_rows_ = row_violations(self->fixed_, self->sums_.moments, self->sums_.groups, self->request_.described,
                                      self->request_.rules);
    });
    if (checks_leverage(request_.rules))
      centring_ = tasks_.spawn([self = shared_from_this()] {
        self->central_ = central_moments(self->fixed_, self->sums_.moments, self->sums_.stretches);
      });
  }

  // near: ready when nearing has ended.
  void check_design(TaskGroup::Handle nearing, std::shared_ptr<const NearCorrelation> near) {
    design_ = tasks_.spawn([self = shared_from_this(), nearing = std::move(nearing), near = std::move(near)] {
      if (self->centring_) self->tasks_.join(self->centring_);
      self->tasks_.join(nearing);
      self->of_design_ = design_violations(self->fixed_, self->sums_.moments, self->sums_.stretches, self->central_,
                                           *near, self->request_.rules, self->cancel_);
    });
  }

  // The task that throws Error(refused) where a rule is broken.
  TaskGroup::Handle finish() {
    return tasks_.spawn([self = shared_from_this()] {
      self->tasks_.join(self->rows_);
      if (self->design_) self->tasks_.join(self->design_);
      precheck(self->fixed_, concatenate(self->of_rows_, self->of_design_), self->request_.rules);
    });
  }

 private:
  const Fixed& fixed_;
  TaskGroup& tasks_;
  RowSums sums_;
  const AnalysisRequest& request_;
  const CancelToken& cancel_;
  std::vector<FpVector> central_;
  FpVector of_rows_, of_design_;
  TaskGroup::Handle rows_, centring_, design_;
};

Prepared prepare(const Fixed& fixed, TaskGroup& tasks, AnalysisRequest& request, const CancelToken& cancel) {
  const auto check = std::make_shared<Precheck>(fixed, tasks, sums_of_rows(fixed, request, cancel), request, cancel);
  const Moments& moments = check->moments();
  Prepared p;
  p.rows = moments.rows;
  check->start();
  const TwoValued two_valued = two_valued_columns(request);
  const auto means = tasks.spawn([&] { p.mean = joined_means(fixed, moments, request.inputs.means, two_valued); });
  const bool early = std::ranges::any_of(
      request.lambdas, [&](double lambda) { return needs_start_inverse(penalty_of(lambda, request.alpha)); });
  const bool design = checks_design(request.rules);
  if (!design) p.check = check->finish();
  p.standard = standardise(fixed, moments, two_valued, [&](const FpVector& covariance, const FpVector& root) {
    if (!early && !design) return;
    const auto values = std::make_shared<std::array<FpVector, 2>>(std::array{covariance.clone(), root.clone()});
    const auto near = std::make_shared<NearCorrelation>();
    const auto nearing =
        tasks.spawn([&fixed, values, near] { *near = near_correlation(fixed, (*values)[0], (*values)[1]); });
    if (design) {
      check->check_design(nearing, near);
      p.check = check->finish();
    }
    if (early)
      p.making_start_inverse = tasks.spawn([&fixed, &tasks, &cancel, nearing, near, out = p.start_inverse] {
        tasks.join(nearing);
        Matrix gram = near->matrix.clone();
        for (std::size_t i = 0; i < gram.size; ++i) gram(i, i) = fixed.one();
        *out = near_inverse(fixed, start_inverse_id(), gram, kStartMetric, kStartMetric, cancel);
      });
  });
  const std::size_t d = p.standard.root.size() - 1;
  auto gram = std::make_shared<Matrix>(d);
  for (std::size_t i = 0; i < d; ++i)
    for (std::size_t j = 0; j < d; ++j) (*gram)(i, j) = p.standard.correlation(i, j);
  p.gram = std::move(gram);
  tasks.join(means);
  return p;
}

// Secret 0/1 faults of one model (rule F14): the outcome not constant, |u|^2 and R^2 plausible, every penalised
// variance in range, and no constant column where no coefficient but its own would be zero (rule F23).
Fp model_faults(const Fixed& fixed, const Problem& problem, const Prepared& p, const Scaled& scaled, const Fp& fit) {
  const Fp slack = fixed.constant(kFitSlack);
  const FpVector rooms = {fixed.constant(std::ldexp(1.0, kLengthLimit)) - scaled.length, fit + slack,
                          fixed.one() + slack - fit, p.standard.sd.back() - fixed.constant(0x1p-7)};
  const std::vector<i128> zero = {0};
  Fp faults;
  for (const Fp& bit : at_least(fixed.session, label(Phase::validity, problem.index, 1), rooms, zero))
    faults += Fp::from_int(1) - bit;
  for (const Fp& above : problem.faults) faults += above;
  if (problem.thresholds.empty())
    for (std::size_t j = 0; j < problem.b.size(); ++j) faults += Fp::from_int(1) - p.standard.varies[j];
  return faults;
}

// One solved problem, nothing of it opened yet.
struct Candidate {
  int iterations = 0;
  bool converged = false;
  Fp faults;
  ModelShares model;
};

Candidate solve(const Fixed& fixed, TaskGroup& tasks, const Prepared& p, const Problem& problem,
                const Matrix& start_inverse, const AnalysisRequest& request, const CancelToken& cancel,
                const AnalysisProgress& progress) {
  const auto iterated = [&](int k) {
    if (progress && problem.index == 0)
      progress("solve", static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(request.max_iterations));
  };
  const Solution solution =
      problem.thresholds.empty()
          ? solve_ridge(fixed, tasks, problem, p.check, request.max_iterations, cancel, iterated)
          : solve_lasso(fixed, tasks, problem, start_inverse, p.check, request.max_iterations, cancel, iterated);
  Candidate out;
  out.iterations = solution.iterations;
  out.converged = solution.converged;
  if (!out.converged) return out;
  const Scaled scaled = unscale(fixed, problem, p.standard.sd.back(), solution.z);
  const auto check = tasks.spawn([&] {
    const FpVector wide = {scaled.fit};
    const Fp fit = truncate(fixed.session, label(Phase::fit, problem.index, 2), wide, fixed.bits, 82)[0];
    const auto grid = tasks.spawn([&] {
      if (!p.making_grid) return;
      tasks.join(p.making_grid);
      out.model.exponents = exponents(fixed, problem.index, *p.grid, fit);
    });
    out.faults = model_faults(fixed, problem, p, scaled, fit);
    tasks.join(grid);
  });
  out.model.wide = scaled.coefficient.clone();
  out.model.wide.push_back(scaled.fit);
  if (rounds_to_grid(request.precision))
    out.model.wide_intercept = intercept_of(fixed, tasks, problem, p.mean, scaled);
  else
    round_exactly(fixed, tasks, problem, p.mean, scaled, out.model);
  tasks.join(check);
  return out;
}

// All in the same rounds. Problems without a quadratic part share one start inverse.
std::vector<Candidate> solve_all(const Fixed& fixed, TaskGroup& tasks, const Prepared& p,
                                 const AnalysisRequest& request, std::vector<Problem>& problems,
                                 const CancelToken& cancel, const AnalysisProgress& progress) {
  const std::size_t total = request.lambdas.size();
  std::vector<Penalty> penalties;
  for (double lambda : request.lambdas) penalties.push_back(penalty_of(lambda, request.alpha));
  problems.resize(total);
  std::vector<Candidate> out(total);
  std::vector<TaskGroup::Handle> running;
  for (std::uint32_t k = 0; k < total; ++k)
    running.push_back(tasks.spawn([&, k] {
      problems[k] = make_problem(fixed, k, p.standard, p.gram, request.described, request.standardize, penalties[k]);
      Matrix own;
      if (penalties[k].l1 > 0 && penalties[k].quadratic > 0)
        own = near_inverse(fixed, own_inverse_id(k), *problems[k].gram, kStartMetric, kStartMetric, cancel);
      const bool shares = needs_start_inverse(penalties[k]);
      if (shares) tasks.join(p.making_start_inverse);
      out[k] = solve(fixed, tasks, p, problems[k], shares ? *p.start_inverse : own, request, cancel, progress);
    }));
  for (const auto& task : running) tasks.join(task);
  tasks.join(p.check);
  return out;
}

// One validity bit for all models; then, and only then, everything is opened in one round. The bit needs messages of
// all three parties: who sends them has promised to store the result, so that nothing is opened before all have.
std::vector<Model> release(const Fixed& fixed, TaskGroup& tasks, const Prepared& p, std::vector<Candidate>& candidates,
                           const std::vector<Problem>& problems, const AnalysisRequest& request) {
  for (std::size_t k = 0; k < candidates.size(); ++k)
    if (!candidates[k].converged)
      throw Error(ErrorCode::not_converged, "the solver did not converge; nothing was opened",
                  "lambda number " + std::to_string(k + 1) + " after " + std::to_string(candidates[k].iterations) +
                      " iterations",
                  "propose a new version with a larger analysis.max_iterations or a larger lambda");
  Fp faults;
  for (const Fp& fault : p.standard.variance_faults) faults += fault;
  for (const Candidate& candidate : candidates) faults += candidate.faults;
  const auto promise = [&] {
    if (request.before_release) request.before_release();
  };
  if (!mutant(Mutant::promises_late)) promise();
  if (!no_faults(fixed, Phase::validity, 0, 2, faults))
    throw Error(ErrorCode::refused, "the result failed its validity check and was not opened",
                "checked together under MPC: the outcome varies over the joined rows (in ridge every column does), the "
                "variance of every column is in range, the coefficients and R^2 are plausible; which one failed is not "
                "known to "
                "any party",
                "leave out columns that are constant or almost so or hold extreme values, then propose a new version");
  if (rounds_to_grid(request.precision)) {
    std::vector<RoundedModel> models;
    for (std::size_t k = 0; k < candidates.size(); ++k) models.push_back({&problems[k], &candidates[k].model});
    round_to_grid(fixed, tasks, *p.grid, p.rows, request.precision, models);
  }
  FpVector values;
  for (const Candidate& candidate : candidates)
    values.insert(values.end(), candidate.model.values.begin(), candidate.model.values.end());
  const std::vector<Fp> opened =
      open(fixed.session, static_cast<std::uint16_t>(Phase::release), values, request.recipients);
  if (mutant(Mutant::promises_late)) promise();
  const std::size_t d = p.gram->size;
  const int outcome = request.described[d].exponent;
  std::vector<Model> models;
  for (std::size_t k = 0; k < candidates.size(); ++k) {
    Model model;
    model.lambda = request.lambdas[k];
    model.iterations = candidates[k].iterations;
    model.received = !opened.empty();
    const auto grid = [&](std::size_t i) { return std::ldexp(1.0, candidates[k].model.grid[i]); };
    auto value = [&](std::size_t i) {
      return std::ldexp(static_cast<double>(opened[k * (d + 2) + i].to_signed()), -kReleaseBits);
    };
    if (model.received) {
      for (std::size_t j = 0; j < d; ++j) {
        const int exponent = outcome - request.described[j].exponent;
        model.coefficients.push_back(std::ldexp(value(j) * problems[k].unscale[j], exponent));
        model.coefficient_grids.push_back(std::ldexp(grid(j) * problems[k].unscale[j], exponent));
      }
      model.r_squared = value(d);
      model.r_squared_grid = grid(d);
      model.intercept = std::ldexp(value(d + 1), outcome);
      model.intercept_grid = std::ldexp(grid(d + 1), outcome);
    }
    models.push_back(std::move(model));
  }
  return models;
}
}  // namespace

std::vector<Model> analyse(Session& session, AnalysisRequest request, const CancelToken& cancel,
                           const AnalysisProgress& progress) {
  const std::size_t columns = request.columns.size();
  session.set_comparison(request.comparison);
  const Fixed fixed{session, Fixed::bits_for(columns, request.columns[0].size(), request.lambdas.size())};
  if (progress) progress("standardise", 0, 1);
  TaskGroup tasks(session);
  Prepared prepared = prepare(fixed, tasks, request, cancel);
  if (rounds_to_grid(request.precision))
    prepared.making_grid =
        tasks.spawn([&] { *prepared.grid = release_grid(fixed, prepared.standard, prepared.rows, request.precision); });
  std::vector<Problem> problems;
  std::vector<Candidate> candidates = solve_all(fixed, tasks, prepared, request, problems, cancel, progress);
  if (progress) progress("release", 0, 1);
  return release(fixed, tasks, prepared, candidates, problems, request);
}

}  // namespace pgmpc
