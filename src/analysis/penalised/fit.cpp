// Implements the penalised fit: problems, solvers, plausibility checks, and the release of the models.
#include "analysis/penalised/fit.h"

#include <algorithm>
#include <cmath>

#include "algebra/inverse.h"
#include "analysis/penalised/models.h"
#include "analysis/penalised/penalty.h"
#include "analysis/penalised/release.h"
#include "analysis/penalised/ridge.h"
#include "analysis/penalised/solver.h"
#include "analysis/relation.h"
#include "analysis/shared_figures.h"
#include "base/error.h"
#include "disclosure/precision.h"
#include "mpc/comparison.h"
#include "mpc/opening.h"

namespace pgmpc {
namespace {

constexpr double kFitSlack = 0x1p-10;

// One solved problem that is not opened yet.
struct Candidate {
  int iterations = 0;
  bool converged = false;
  Fp violations;
  ModelShares model;
};

class PenalisedFit final : public Computed {
 public:
  PenalisedFit(const AnalysisRun& run, const PenalisedSettings& settings)
      : run_(run), fixed_(run.fixed), tasks_(run.tasks), settings_(settings) {
    for (const double lambda : settings.lambdas) penalties_.push_back(penalty_of(lambda, settings.alpha));
    for (const std::size_t column : run.columns.attributes) described_.push_back(run.shared.described()[column]);
    described_.push_back(run.shared.described()[*run.columns.outcome]);
  }

  void compute() {
    if (std::any_of(penalties_.begin(), penalties_.end(), needs_start_inverse)) make_start_inverse();
    prepare();
    solve_all();
    require_convergence();
    for (const Fp& each : standard_.variance_violations) violations_ += each;
    for (const Candidate& candidate : candidates_) violations_ += candidate.violations;
  }

  Fp violations() const override { return violations_; }

  Relations release() override {
    if (rounds_to_grid(run_.precision)) {
      std::vector<RoundedModel> models;
      for (std::size_t k = 0; k < candidates_.size(); ++k) models.push_back({&problems_[k], &candidates_[k].model});
      round_to_grid(fixed_, tasks_, grid_, run_.shared.rows(), run_.precision, models);
    }
    FpVector values;
    for (const Candidate& candidate : candidates_)
      values.insert(values.end(), candidate.model.values.begin(), candidate.model.values.end());
    return model_relations(
        models_of(open(fixed_.session, static_cast<std::uint16_t>(Phase::release), values, run_.recipients)),
        run_.columns, run_.shared.rows(), settings_.alpha, run_.precision);
  }

 private:
  std::size_t attributes() const { return run_.columns.attributes.size(); }

  // Starts the inverse of gram + kStartMetric I, for the problems without a quadratic part. It is computed from the
  // approximate correlations, because an approximate inverse needs no better ones. So it runs while the exact
  // correlations are still being computed.
  void make_start_inverse() {
    making_start_inverse_ = tasks_.spawn([this] {
      Matrix gram = selected(run_.shared.approximation().matrix, run_.columns.attributes);
      for (std::size_t i = 0; i < gram.size; ++i) gram(i, i) = fixed_.one();
      start_inverse_ = approximate_inverse(fixed_, start_inverse_id(), gram, kStartMetric, kStartMetric, run_.cancel);
    });
  }

  void prepare() {
    std::vector<std::size_t> columns = run_.columns.attributes;
    columns.push_back(*run_.columns.outcome);
    standard_ = selected(run_.shared.standardised(), columns);
    check_ = run_.shared.rules();
    gram_ = std::make_shared<const Matrix>(selected(run_.shared.standardised().correlation, run_.columns.attributes));
    const FpVector& means = run_.shared.means();
    for (const std::size_t column : columns) mean_.push_back(means[column]);
    if (!rounds_to_grid(run_.precision)) return;
    making_grid_ =
        tasks_.spawn([this] { grid_ = release_grid(fixed_, standard_, run_.shared.rows(), run_.precision); });
  }

  // Solves all problems in the same rounds. Those without a quadratic part share one start inverse.
  void solve_all() {
    const std::size_t total = penalties_.size();
    problems_.resize(total);
    candidates_.resize(total);
    std::vector<TaskGroup::Handle> running;
    for (std::uint32_t k = 0; k < total; ++k) running.push_back(tasks_.spawn([this, k] { make_and_solve(k); }));
    for (const auto& task : running) tasks_.join(task);
  }

  void make_and_solve(std::uint32_t k) {
    const Penalty& penalty = penalties_[k];
    problems_[k] = make_problem(fixed_, k, standard_, gram_, described_, settings_.standardize, penalty);
    Matrix own;
    if (penalty.l1 > 0 && penalty.quadratic > 0)
      own = approximate_inverse(fixed_, own_inverse_id(k), *problems_[k].gram, kStartMetric, kStartMetric, run_.cancel);
    const bool shares = needs_start_inverse(penalty);
    if (shares) tasks_.join(making_start_inverse_);
    candidates_[k] = solve(problems_[k], shares ? start_inverse_ : own);
  }

  Candidate solve(const Problem& problem, const Matrix& start_inverse) {
    const auto iterated = [&](int k) {
      if (run_.progress && problem.index == 0)
        run_.progress("solve", static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(settings_.max_iterations));
    };
    const Solution solution = problem.thresholds.empty() ? solve_ridge(fixed_, tasks_, problem, check_,
                                                                       settings_.max_iterations, run_.cancel, iterated)
                                                         : solve_lasso(fixed_, tasks_, problem, start_inverse, check_,
                                                                       settings_.max_iterations, run_.cancel, iterated);
    Candidate out;
    out.iterations = solution.iterations;
    out.converged = solution.converged;
    if (!out.converged) return out;
    const Scaled scaled = unscale(fixed_, problem, standard_.sd.back(), solution.z);
    const auto check = tasks_.spawn([&] {
      const FpVector wide = {scaled.fit};
      const Fp fit = truncate(fixed_.session, fixed_.label(Phase::fit, problem.index, 2), wide, fixed_.bits, 82)[0];
      const auto exponents_known = tasks_.spawn([&] {
        if (!making_grid_) return;
        tasks_.join(making_grid_);
        out.model.exponents = exponents(fixed_, problem.index, grid_, fit);
      });
      out.violations = model_violations(problem, scaled, fit);
      tasks_.join(exponents_known);
    });
    out.model.wide = scaled.coefficient.clone();
    out.model.wide.push_back(scaled.fit);
    if (rounds_to_grid(run_.precision))
      out.model.wide_intercept = intercept_of(fixed_, tasks_, problem, mean_, scaled);
    else
      round_exactly(fixed_, tasks_, problem, mean_, scaled, out.model);
    tasks_.join(check);
    return out;
  }

  // Checks that the outcome is not constant, that |u|^2 and R^2 are plausible, and that every penalised variance is in
  // range (rule F14). Without an l1 part no column may be constant: only its coefficient would be zero (rule F23).
  Fp model_violations(const Problem& problem, const Scaled& scaled, const Fp& fit) const {
    const Fp slack = fixed_.constant(kFitSlack);
    const FpVector rooms = {fixed_.constant(std::ldexp(1.0, kLengthLimit)) - scaled.length, fit + slack,
                            fixed_.one() + slack - fit, standard_.sd.back() - fixed_.constant(0x1p-7)};
    const std::vector<i128> zero = {0};
    Fp out;
    for (const Fp& bit : at_least(fixed_.session, fixed_.label(Phase::validity, problem.index, 1), rooms, zero))
      out += Fp::from_int(1) - bit;
    for (const Fp& above : problem.variance_violations) out += above;
    if (problem.thresholds.empty())
      for (std::size_t j = 0; j < problem.b.size(); ++j) out += Fp::from_int(1) - standard_.varies[j];
    return out;
  }

  void require_convergence() const {
    for (std::size_t k = 0; k < candidates_.size(); ++k)
      if (!candidates_[k].converged)
        throw Error(ErrorCode::not_converged, "the solver did not converge; nothing was opened",
                    "lambda number " + std::to_string(k + 1) + " after " + std::to_string(candidates_[k].iterations) +
                        " iterations",
                    "propose a new version with a larger analysis.max_iterations or a larger lambda");
  }

  std::vector<Model> models_of(const std::vector<Fp>& opened) const {
    const std::size_t d = attributes();
    const int outcome = described_[d].exponent;
    std::vector<Model> models;
    for (std::size_t k = 0; k < candidates_.size(); ++k) {
      Model model;
      model.lambda = settings_.lambdas[k];
      model.iterations = candidates_[k].iterations;
      model.received = !opened.empty();
      const auto grid = [&](std::size_t i) { return std::ldexp(1.0, candidates_[k].model.grid[i]); };
      const auto value = [&](std::size_t i) {
        return std::ldexp(static_cast<double>(opened[k * (d + 2) + i].to_signed()), -kReleaseBits);
      };
      if (model.received) {
        for (std::size_t j = 0; j < d; ++j) {
          const int exponent = outcome - described_[j].exponent;
          model.coefficients.push_back(std::ldexp(value(j) * problems_[k].unscale[j], exponent));
          model.coefficient_grids.push_back(std::ldexp(grid(j) * problems_[k].unscale[j], exponent));
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

  const AnalysisRun& run_;
  const Fixed& fixed_;
  TaskGroup& tasks_;
  const PenalisedSettings& settings_;
  std::vector<Penalty> penalties_;
  std::vector<ColumnDescription> described_;  // attributes, then the outcome; the figures below have the same order
  Standardised standard_;
  std::shared_ptr<const Matrix> gram_;  // correlations of the attributes
  FpVector mean_;                       // owner's mean + joined mean, local units, kMeanBits
  Matrix start_inverse_;
  TaskGroup::Handle making_start_inverse_;  // null: no problem needs it
  ReleaseGrid grid_;
  TaskGroup::Handle making_grid_;  // null: the exact release
  TaskGroup::Handle check_;        // of the disclosure rules; no stop bit is opened before it ends
  std::vector<Problem> problems_;
  std::vector<Candidate> candidates_;
  Fp violations_;
};

}  // namespace

std::unique_ptr<Computed> fit_penalised(const AnalysisRun& run, const PenalisedSettings& settings) {
  auto fit = std::make_unique<PenalisedFit>(run, settings);
  fit->compute();
  return fit;
}

}  // namespace pgmpc
