// Implements the shared figures as tasks, and the disclosure rules beside them.
#include "analysis/shared_figures.h"

#include <algorithm>

#include "disclosure/joint_design.h"
#include "disclosure/precheck.h"
#include "mpc/comparison.h"

namespace pgmpc {

namespace {

TwoValued two_valued_columns(const JoinedRecords& records) {
  TwoValued out;
  for (std::size_t j = 0; j < records.described.size(); ++j) {
    if (!records.described[j].binary) continue;
    out.columns.push_back(j);
    out.step.push_back(records.inputs.steps[j]);
    out.inverse_step.push_back(records.inputs.inverse_steps[j]);
  }
  return out;
}

// The sums that replace the rows once these are destroyed.
struct RowSums {
  Moments moments;
  GroupSums groups;
  StretchSums stretches;
  GroupedSums grouped;
};

RowSums sums_of_rows(const Fixed& fixed, JoinedRecords& records, const RowRules& rules,
                     const std::set<GroupedColumn>& grouped, const CancelToken& cancel) {
  RowSums out;
  const std::size_t rows = records.columns[0].size();
  if (checks_leverage(rules)) {
    out.stretches = stretch_sums(records.columns, design_stretches(records.attributes, rows), cancel);
    out.moments = joined_moments(fixed, records.columns, out.stretches.total.clone());
  } else {
    out.moments = joined_moments(fixed, records.columns, cancel);
  }
  out.groups = group_sums(records.columns, dominance_groups(rules.max_dominance, rows), cancel);
  out.grouped = grouped_sums(fixed, records.columns, grouped, out.groups.sizes, cancel);
  records.columns.clear();
  return out;
}

// Which columns may be withheld: two-valued ones of which no analysis needs a refusal.
std::vector<bool> withholdable_columns(const std::vector<ColumnDescription>& described,
                                       const std::vector<bool>& refusing) {
  std::vector<bool> out;
  for (std::size_t j = 0; j < described.size(); ++j) out.push_back(described[j].binary && !refusing[j]);
  return out;
}

// Returns the violations that refuse the study.
FpVector refusing_bits(const RowViolations& of_rows, const std::vector<bool>& withholdable) {
  FpVector out;
  for (std::size_t i = 0; i < of_rows.bits.size(); ++i)
    if (!withholdable[of_rows.about[i].first] && !withholdable[of_rows.about[i].second]) out.push_back(of_rows.bits[i]);
  return out;
}

// Returns shares of 1 for columns that may be withheld and must be, 0 for all others. Two rounds. A column of which only
// one level joined is withheld like one with a rare level: otherwise its owner could tell from it whether a chosen person
// matched.
FpVector withheld_columns(const Fixed& fixed, const RowViolations& of_rows, const std::vector<bool>& withholdable,
                          const FigureNeeds& needs) {
  FpVector found(withholdable.size()), out(withholdable.size()), negated;
  if (std::find(withholdable.begin(), withholdable.end(), true) == withholdable.end()) return out;
  for (std::size_t i = 0; i < of_rows.bits.size(); ++i) {
    const auto [first, second] = of_rows.about[i];
    found[first] += of_rows.bits[i];
    if (second != first) found[second] += of_rows.bits[i];
  }
  for (std::size_t j = 0; j < of_rows.one_level.size(); ++j) found[j] += of_rows.one_level[j];
  // Without one level of an attribute the others would stay in the joint design, and nearly add up to 1.
  for (const auto& [attribute, columns] : needs.together) {
    Fp all;
    for (const std::size_t j : columns) all += found[j];
    for (const std::size_t j : columns) found[j] = all;
  }
  for (std::size_t j = 0; j < withholdable.size(); ++j)
    if (withholdable[j]) negated.push_back(-found[j]);
  const std::vector<i128> zero = {0};
  const FpVector passes = at_least(fixed.session, fixed.label(Phase::precheck, 0, 6), negated, zero);
  std::size_t at = 0;
  for (std::size_t j = 0; j < withholdable.size(); ++j)
    if (withholdable[j]) out[j] = Fp::from_int(1) - passes[at++];
  return out;
}

}  // namespace

// Computes the one bit of all disclosure rules, beside the standardisation and the first iterations. Nothing else is
// opened before it: stop bits, exponents, the validity bit and the release wait for it. Until then a party sends only
// masked values, whose statistical distance the session counts, and pseudorandom shares and comparison keys. Their
// sizes do not depend on the data.
class SharedFigures::Precheck : public std::enable_shared_from_this<Precheck> {
 public:
  Precheck(const Fixed& fixed, TaskGroup& tasks, RowSums sums, const std::vector<ColumnDescription>& described,
           std::size_t attributes, const RowRules& rules, const FigureNeeds& needs, const CancelToken& cancel)
      : fixed_(fixed),
        tasks_(tasks),
        sums_(std::move(sums)),
        described_(described),
        attributes_(attributes),
        rules_(rules),
        withholdable_(withholdable_columns(described, needs.refusing)),
        needs_(needs),
        cancel_(cancel) {}
  const RowSums& sums() const { return sums_; }
  const FpVector& withheld() {
    tasks_.join(judging_);
    return withheld_;
  }
  bool may_withhold() const {
    return std::find(withholdable_.begin(), withholdable_.end(), true) != withholdable_.end();
  }

  void start() {
    rows_ = tasks_.spawn([self = shared_from_this()] {
      self->of_rows_ =
          row_violations(self->fixed_, self->sums_.moments, self->sums_.groups, self->described_, self->rules_);
    });
    judging_ = tasks_.spawn([self = shared_from_this()] {
      self->tasks_.join(self->rows_);
      self->withheld_ = withheld_columns(self->fixed_, self->of_rows_, self->withholdable_, self->needs_);
    });
    if (checks_leverage(rules_))
      centring_ = tasks_.spawn([self = shared_from_this()] {
        self->central_ = central_moments(self->fixed_, self->sums_.moments, self->sums_.stretches, self->attributes_);
      });
  }

  // Starts the rules over the joint design. approximate: ready when the task `ready` has ended.
  void check_design(TaskGroup::Handle ready, std::shared_ptr<const ApproximateCorrelation> approximate) {
    design_ = tasks_.spawn([self = shared_from_this(), ready = std::move(ready), approximate = std::move(approximate)] {
      if (self->centring_) self->tasks_.join(self->centring_);
      self->tasks_.join(ready);
      self->of_design_ = design_violations(self->fixed_, self->sums_.moments, self->sums_.stretches, self->central_,
                                           *approximate, self->rules_, self->cancel_);
    });
  }

  // Starts and returns the task that opens the bit. It throws Error(refused) when a rule is violated.
  TaskGroup::Handle finish() {
    return tasks_.spawn([self = shared_from_this()] {
      self->tasks_.join(self->rows_);
      if (self->design_) self->tasks_.join(self->design_);
      precheck(self->fixed_, concatenate(refusing_bits(self->of_rows_, self->withholdable_), self->of_design_),
               self->rules_);
    });
  }

 private:
  const Fixed& fixed_;
  TaskGroup& tasks_;
  RowSums sums_;
  const std::vector<ColumnDescription>& described_;
  std::size_t attributes_;
  const RowRules& rules_;
  std::vector<bool> withholdable_;
  const FigureNeeds& needs_;
  const CancelToken& cancel_;
  std::vector<FpVector> central_;
  RowViolations of_rows_;
  FpVector withheld_, of_design_;
  TaskGroup::Handle rows_, judging_, centring_, design_;
};

struct SharedFigures::State {
  const Fixed& fixed;
  TaskGroup& tasks;
  JoinedRecords records;
  RowRules row_rules;
  FigureNeeds needs;
  TwoValued two_valued{};
  std::shared_ptr<Precheck> precheck{};
  std::shared_ptr<ApproximateCorrelation> approximate = std::make_shared<ApproximateCorrelation>();
  Standardised standard{};
  FpVector means{};
  TaskGroup::Handle averaging{}, standardising{}, rules{};
  TaskGroup::Handle approximation_known = tasks.promise();

  // A column with the root 0 counts as constant. So what is withheld plays no part in the joint design.
  void leave_out_withheld(FpVector& root) const {
    if (!precheck->may_withhold()) return;
    const FpVector& withheld = precheck->withheld();
    FpVector values;
    for (std::size_t j = 0; j < root.size(); ++j) values.push_back(root[j] * (Fp::from_int(1) - withheld[j]));
    root = truncate(fixed.session, fixed.label(Phase::correlation, 0, 8), values, 0, fixed.bits + 7);
  }

  void on_approximate_roots(const FpVector& covariance, const FpVector& reciprocal_sd) {
    const bool design = checks_design(row_rules);
    if (!needs.approximation && !design) return;
    const auto values =
        std::make_shared<std::array<FpVector, 2>>(std::array{covariance.clone(), reciprocal_sd.clone()});
    tasks.spawn([this, values] {
      leave_out_withheld((*values)[1]);
      *approximate = approximate_correlation(fixed, (*values)[0], (*values)[1], records.attributes);
      tasks.fulfil(approximation_known);
    });
    if (!design) return;
    precheck->check_design(approximation_known, approximate);
    rules = precheck->finish();
  }
};

SharedFigures::SharedFigures(const Fixed& fixed, TaskGroup& tasks, JoinedRecords records, RowRules rules,
                             FigureNeeds needs, const CancelToken& cancel)
    : state_(new State{fixed, tasks, std::move(records), std::move(rules), std::move(needs)}) {
  State& s = *state_;
  RowSums sums = sums_of_rows(fixed, s.records, s.row_rules, s.needs.grouped, cancel);
  s.precheck = std::make_shared<Precheck>(fixed, tasks, std::move(sums), s.records.described, s.records.attributes,
                                          s.row_rules, s.needs, cancel);
  const Moments& moments = s.precheck->sums().moments;
  s.precheck->start();
  s.two_valued = two_valued_columns(s.records);
  s.averaging =
      tasks.spawn([&s, &moments] { s.means = joined_means(s.fixed, moments, s.records.inputs.means, s.two_valued); });
  if (!checks_design(s.row_rules)) s.rules = s.precheck->finish();
  s.standardising = tasks.spawn([&s, &moments] {
    s.standard =
        standardise(s.fixed, moments, s.two_valued, [&s](const FpVector& covariance, const FpVector& reciprocal_sd) {
          s.on_approximate_roots(covariance, reciprocal_sd);
        });
  });
}

SharedFigures::~SharedFigures() = default;

std::size_t SharedFigures::rows() const { return moments().rows; }

const std::vector<ColumnDescription>& SharedFigures::described() const { return state_->records.described; }

const ApproximateCorrelation& SharedFigures::approximation() {
  state_->tasks.join(state_->approximation_known);
  return *state_->approximate;
}

const Standardised& SharedFigures::standardised() {
  state_->tasks.join(state_->standardising);
  return state_->standard;
}

const FpVector& SharedFigures::means() {
  state_->tasks.join(state_->averaging);
  return state_->means;
}

const RowRules& SharedFigures::row_rules() const { return state_->row_rules; }

const Moments& SharedFigures::moments() const { return state_->precheck->sums().moments; }

const GroupSums& SharedFigures::stretches() const { return state_->precheck->sums().groups; }

const GroupedSums& SharedFigures::grouped() const { return state_->precheck->sums().grouped; }

const FpVector& SharedFigures::withheld() { return state_->precheck->withheld(); }

const TaskGroup::Handle& SharedFigures::rules() const { return state_->rules; }

}  // namespace pgmpc
