// The interface between a study and its analyses: what every kind of analysis says about itself and does.
//
// A kind is a class in a directory of its own (src/analysis/<kind>/) and one line in registry.cpp. An object of the
// class is one entry of "analyses" in a spec. CONTRIBUTING.md, "How to add an analysis", lists the steps.
//
// Terms
// The columns are those of the joined records: attributes first, then outcomes. Their shares are destroyed as soon as
// the shared figures have been computed. A relation is a released table (relation.h).
//
// Invariants
// An Analysis never changes after it has been read. Everything public about it is a function of the spec alone.
#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "algebra/column.h"
#include "analysis/cost.h"

namespace pgmpc {

struct AnalysisRun;  // computation.h
class Computed;
struct Relation;  // relation.h
using Relations = std::vector<Relation>;

// Names of step 8: of studies with penalised models only, and of all others.
inline constexpr const char* kPenalisedStep = "lasso";
inline constexpr const char* kAnalysisStep = "analyse";

// The settings outside "analyses" that an entry of it depends on.
struct SpecContext {
  Precision precision = Precision::statistical;
  std::optional<double> min_lambda;
  bool own_moments = false;  // disclosure.own_moments
};

struct NamedColumn {
  std::string party, name;
  // Of the columns of a categorical attribute that the analysis has as a whole; empty for others.
  std::string attribute{}, level{};

  // The attribute as the spec declares it.
  const std::string& declared() const { return level.empty() ? name : attribute; }
};

// The columns of one analysis, as indexes into the joined columns.
struct AnalysisColumns {
  std::vector<std::size_t> attributes;
  std::optional<std::size_t> outcome;
  std::vector<NamedColumn> names;  // of the attributes, in the same order
  // Levels of its categorical attributes (study/levels.h) that the analysis does not have: what it releases is about them
  // too.
  std::vector<std::size_t> left_out{};
};

// A sentence of explain_study about the study as a whole.
struct Statement {
  std::string subject, text;
};

// What an analysis does, in words, for explain_study. Empty where there is nothing to say.
struct AnalysisDescription {
  Statement method;
  std::string sends;                    // by every party, in step 8
  std::string received;                 // what the recipients learn, in short
  std::string opened;                   // what the recipients learn, in full
  std::string opened_to_all;            // to all parties, recipients or not
  std::vector<Statement> public_facts;  // what else all parties learn
  std::vector<Statement> notes;
};

class Analysis {
 public:
  virtual ~Analysis() = default;

  virtual const char* kind() const = 0;
  // Returns the keys of its kind with defaults written out, including "kind".
  virtual nlohmann::json filled() const = 0;
  virtual bool needs_outcome() const = 0;
  // true: the analysis has the columns of all levels of a categorical attribute, in their order. false: of all but the
  // first, so that columns do not add up.
  virtual bool uses_all_levels() const { return false; }
  virtual ComparisonKind comparison() const = 0;
  virtual std::size_t problems() const { return 1; }          // number of problems that are solved in the same rounds
  virtual bool needs_approximation() const { return false; }  // SharedFigures::approximation()
  // Pairs of joined columns that SharedFigures::grouped() has sums of, if the first one is two-valued and the second one
  // is not.
  virtual std::set<GroupedColumn> grouped_columns(const AnalysisColumns&) const { return {}; }

  // The name of step 8 in a study with such analyses only.
  virtual const char* step() const { return kAnalysisStep; }
  // false: a two-valued column that breaks the level rule does not refuse the study. The analysis withholds what it would
  // release about that column (SharedFigures::withheld()).
  virtual bool refuses_columns() const { return true; }

  // Called once, when the columns of the analysis are known. Refuses settings that do not fit them, with an error of
  // refuse_spec (json/spec_reader.h). pointer: the JSON pointer of the entry.
  virtual void check_columns(const AnalysisColumns&, const std::string& pointer) const { (void)pointer; }
  // The same for the data: two_valued has one entry per attribute. Called at the start of a study, from what the
  // controllers have approved, and in step 8. Throws Error(invalid_parameter).
  virtual void check_two_valued(const AnalysisColumns&, const std::vector<bool>& two_valued) const { (void)two_valued; }
  // Number of released sums of products of two columns of one party (disclosure.own_moments).
  virtual std::int64_t own_moments(const AnalysisColumns&) const { return 0; }

  // How many models count against disclosure.model_budget, and how many numbers each of them releases. free_numbers: how
  // many of these do not count against disclosure.released_numbers the first time.
  virtual std::int64_t models() const = 0;
  virtual std::int64_t numbers_of_model(const AnalysisColumns& columns) const = 0;
  virtual std::int64_t free_numbers(const AnalysisColumns& columns) const { return numbers_of_model(columns); }

  // Returns the cost of this analysis alone. Its rounds come after those of shared_cost().
  virtual Cost cost(const PlannedStudy& study, const AnalysisColumns& columns) const = 0;
  virtual AnalysisDescription words() const = 0;
  // Returns what is opened, in the words of the ledger.
  virtual std::vector<std::string> opened() const = 0;
  // Returns a warning for an outcome that holds only 0 and 1, or an empty string.
  virtual std::string two_valued_outcome() const { return {}; }

  // Computes everything up to the release. Runs in a task of its own, in the same rounds as the other analyses. The
  // result refers to `run`, which must live longer. Opens nothing of the result (computation.h).
  virtual std::unique_ptr<Computed> compute(const AnalysisRun& run) const = 0;
  // Tells whether relations from a peer have the form that this analysis releases. rows: the number of joined records.
  virtual bool accepts(const Relations& relations, const AnalysisColumns& columns, std::int64_t rows) const = 0;
};

}  // namespace pgmpc
