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

// The names of the settings as indexes into the attributes of the analysis.
struct DescribeColumns {
  std::vector<std::pair<std::size_t, std::size_t>> tables;
  std::optional<std::size_t> by;
};

// Returns the index of the attribute that is called "name" or "party.name"; none where no attribute or several are.
std::optional<std::size_t> attribute_of(const AnalysisColumns& columns, const std::string& name);
// The names must be known (Analysis::check_columns).
DescribeColumns columns_of(const DescribeSettings& settings, const AnalysisColumns& columns);
bool of_one_party(const AnalysisColumns& columns, std::size_t a, std::size_t b);

}  // namespace pgmpc
