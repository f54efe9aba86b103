// The study spec: parsed, checked, filled with defaults, and written in canonical form.
//
// Terms
// The spec is the JSON document that all parties approve. A filled spec has every key, with defaults written out.
// The format is the set of keys and defaults of a filled spec: 2, or 1 for specs that were filled before the key
// "format" existed. A stored spec is read with the defaults of its own format and never filled again, so its digest
// does not change. A spec of format 1 can be read and explained, but not started.
// The digest is the hex SHA-256 of "pg_mpc study 1\n" + name + "\n" + RFC 8785 JSON of the filled spec.
//
// Invariants
// controllers[0].party < controllers[1].party in byte order. They are parties 0 and 1; the third party is 2.
//
// Errors
// Unknown keys, duplicate keys, wrong types and values out of range throw Error(invalid_parameter) with the JSON
// pointer in the detail. Limits are 200 columns of attributes and names [a-z][a-z0-9_]{0,62}. Text that is not JSON throws
// Error(invalid_text), and more than 64 kB Error(limit_exceeded).
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/analysis.h"
#include "base/limits.h"
#include "disclosure/precision_kind.h"
#include "linkage/forms.h"

namespace pgmpc {

inline constexpr int kSpecFormat = 2;

// An attribute as the spec declares it: a number, or with levels (study/levels.h) a text.
struct DeclaredAttribute {
  std::string name;
  std::vector<std::string> levels;  // empty: a number
};

struct ControllerSpec {
  std::string party;
  std::vector<DeclaredAttribute> declared;
  std::vector<std::string> attributes;  // columns of the attributes: their names, or those of all levels but the first
  std::vector<std::string> outcomes;
  std::vector<std::string> references;         // columns of the first levels
  std::map<std::string, int> scale_exponents;  // column name -> fixed exponent; others follow from the data
  // Returns attributes, outcomes, references: the order of a controller's columns everywhere.
  std::vector<std::string> columns() const;
  // Returns the levels of an attribute; none for a number and for what is no attribute.
  std::vector<std::string> levels_of(std::string_view attribute) const;
};

struct DisclosureSpec {
  std::int64_t min_matched = 100;
  double max_parameter_ratio = 0.1;
  std::int64_t min_level_count = 10;
  double max_dominance = 0.5;
  std::int64_t model_budget = 100;
  std::int64_t min_cohort_change = 10;
  std::optional<double> min_lambda;
  double max_leverage = 0.4;
  std::optional<double> max_vif = 200;
  std::optional<std::int64_t> max_columns;  // none: a tenth of the matched records
  std::int64_t versions = 3;
  std::optional<std::int64_t> released_numbers;  // none: default_released_numbers (study/disclosure.h)
  bool own_moments = false;
};

struct IdentifierExample {
  std::vector<std::string> parts;
  std::string normalised;  // hex
};

struct IdentifierSpec {
  int parts = 1;
  std::vector<IdentifierForm> forms;   // one per part, or empty:
  std::vector<std::string> normalise;  // then these, of trim, upper, digits, in this order on every part
  std::vector<IdentifierExample> examples;
};

// One entry of "analyses".
struct AnalysisEntry {
  std::string name;
  std::shared_ptr<const Analysis> analysis;
  // Names as in the spec. Without them: all attributes, and the only outcome.
  std::optional<std::vector<std::string>> attributes;
  std::optional<std::string> outcome;
  AnalysisColumns columns;  // among joined_columns (study/columns.h)
};

struct Spec {
  int format = kSpecFormat;
  std::array<ControllerSpec, 2> controllers;
  std::string third_party;
  int key_bits = 3072;
  IdentifierSpec identifier;
  std::vector<AnalysisEntry> analyses;  // by name
  std::vector<std::string> recipients;
  std::optional<std::int64_t> expected_records;
  std::optional<std::pair<std::int64_t, std::int64_t>> expect_matched;  // fewest, most; the match is refused outside
  bool keep_shares = false;
  Precision precision = Precision::statistical;
  std::string refusal = "all";
  DisclosureSpec disclosure;

  std::string canonical_json;  // of the filled spec

  std::size_t attribute_count() const { return controllers[0].attributes.size() + controllers[1].attributes.size(); }
  std::size_t outcome_count() const { return controllers[0].outcomes.size() + controllers[1].outcomes.size(); }
  std::size_t reference_count() const { return controllers[0].references.size() + controllers[1].references.size(); }
  std::size_t column_count() const { return attribute_count() + outcome_count() + reference_count(); }
  int party_count() const { return static_cast<int>(controllers.size()) + 1; }
  // Returns 0, 1, 2, or -1 when the party does not take part.
  int party_index(std::string_view party) const;
  const std::string& party_name(int index) const;
  // Returns the fewest matched records for which anything is computed: the largest of min_matched, parameters /
  // max_parameter_ratio (rounded up) and, without max_columns, ten per attribute.
  std::int64_t required_matches() const;
};

// Reads a proposal and fills it with the defaults of the current format. A filled spec of that format does not change.
// Throws Error(not_supported) for settings that are reserved for a later version.
Spec parse_spec(std::string_view json);
// Reads a stored spec with the defaults of its own format.
Spec read_spec(std::string_view json);
std::string study_digest(std::string_view study, const Spec& spec);  // 64 hex digits
// Returns the JSON pointer of the first difference between two canonical specs, or "" when they are equal.
std::string first_difference(std::string_view canonical_a, std::string_view canonical_b);

}  // namespace pgmpc
