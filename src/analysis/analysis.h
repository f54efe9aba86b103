// The seam between a study and its analyses: what every kind of analysis says about itself and does.
//
// A kind is a class in a room of its own (src/analysis/<kind>/) and one line in registry.cpp. An object of it is one
// entry of "analyses" in a spec. CONTRIBUTING.md, "How to add an analysis", has the steps.
//
// Terms
// columns = what the join gave, attributes first, then outcomes; shares of them are gone once the shared figures are
// made. relation = a released table (relation.h).
//
// Invariants
// An Analysis never changes after it was read. Everything public about it is a function of the spec alone.
#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "analysis/cost.h"

namespace pgmpc {

struct AnalysisRun;  // computation.h
class Computed;
struct Relation;  // relation.h
using Relations = std::vector<Relation>;

// What the rest of the spec says that a part of it may depend on.
struct SpecAround {
  Precision precision = Precision::statistical;
  std::optional<double> min_lambda;
};

struct NamedColumn {
  std::string party, name;
};

// The columns of one analysis among the joined ones.
struct AnalysisColumns {
  std::vector<std::size_t> attributes;
  std::optional<std::size_t> outcome;
  std::vector<NamedColumn> names;  // of attributes
};

// A sentence of explain_study about the study as a whole.
struct Statement {
  std::string subject, text;
};

struct AnalysisWords {
  Statement method;
  std::string sends;                    // in step 8
  std::string received;                 // by the recipients, in short
  std::string opened;                   // the same, in full
  std::string opened_to_all;            // whoever is a recipient
  std::vector<Statement> public_facts;  // what all parties learn besides
  std::vector<Statement> notes;
};

class Analysis {
 public:
  virtual ~Analysis() = default;

  virtual const char* kind() const = 0;
  // Its own keys with their defaults, "kind" among them.
  virtual nlohmann::json filled() const = 0;
  virtual bool needs_outcome() const = 0;
  virtual ComparisonKind comparison() const = 0;
  virtual std::size_t problems() const { return 1; }          // that are solved side by side
  virtual bool needs_approximation() const { return false; }  // SharedFigures::near()

  // Against disclosure.model_budget, and released numbers of each of these models, for so many attributes.
  virtual std::int64_t models() const = 0;
  virtual std::int64_t numbers_of_model(std::size_t attributes) const = 0;

  // Of this analysis alone. Rounds are those after the shared ones.
  virtual Cost cost(const PlannedStudy& study, std::size_t attributes) const = 0;
  virtual AnalysisWords words() const = 0;
  // What is opened, as the ledger names it.
  virtual std::vector<std::string> opened() const = 0;
  // What does not fit a two-valued outcome, or nothing.
  virtual std::string two_valued_outcome() const { return {}; }

  // In a task of its own, in the rounds of the other analyses (computation.h). The run outlives what is returned.
  virtual std::unique_ptr<Computed> compute(const AnalysisRun& run) const = 0;
  // Whether relations that a peer gives are those of this analysis.
  virtual bool accepts(const Relations& relations, const AnalysisColumns& columns, std::int64_t rows) const = 0;
};

}  // namespace pgmpc
