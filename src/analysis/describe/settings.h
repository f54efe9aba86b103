// The settings of a describe analysis, and its columns.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/analysis.h"
#include "mpc/comparison_kind.h"

namespace pgmpc {

struct DescribeSettings {
  bool correlation = false;
  std::vector<std::pair<std::string, std::string>> tables;  // names of attributes, as in the spec
  std::optional<std::string> by;
  bool refuse = false;       // on_small_cell: a violated rule refuses the study
  bool own_moments = false;  // of the study: disclosure.own_moments
  ComparisonKind comparison = ComparisonKind::fast;
};

// An attribute as the spec declares it: one column, or with levels (study/levels.h) a column per level, in their order.
struct DescribedAttribute {
  std::string party, name;
  std::vector<std::size_t> columns;  // indexes into those of the analysis
  bool categorical = false;
};

// The names of the settings as indexes into the described attributes.
struct DescribeNames {
  std::vector<std::pair<std::size_t, std::size_t>> tables;
  std::optional<std::size_t> by;
};

std::vector<DescribedAttribute> described_attributes(const AnalysisColumns& columns);
// Returns the index of the attribute that is called "name" or "party.name"; none where no attribute or several are.
std::optional<std::size_t> attribute_of(const std::vector<DescribedAttribute>& attributes, const std::string& name);
// The names must be known (Analysis::check_columns).
DescribeNames names_of(const DescribeSettings& settings, const std::vector<DescribedAttribute>& attributes);
// Returns the first column of the attribute that forms groups, as an index into those of the analysis.
std::optional<std::size_t> group_column(const DescribeSettings& settings, const AnalysisColumns& columns);

}  // namespace pgmpc
