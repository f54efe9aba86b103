// The relations of a describe analysis: describe, crosstab and correlation.
#pragma once
#include <cstdint>
#include <vector>

#include "analysis/describe/layout.h"
#include "analysis/relation.h"

namespace pgmpc {

struct Rounded {
  double value = 0, grid = 0;
};

// The opened numbers, in the order of the layout. Those of a withheld unit are 0.
struct DescribeNumbers {
  std::vector<bool> released;  // of units
  std::vector<std::int64_t> cells;
  std::vector<Rounded> means, sds;  // of statistics
  std::vector<Rounded> correlations;
};

// rows: the number of joined records.
Relations describe_relations(const DescribeSettings& settings, const AnalysisColumns& columns,
                             const DescribeLayout& layout, const DescribeNumbers& numbers, std::int64_t rows);

// The same relations without rows, for a party that is not a recipient.
Relations empty_descriptions();

// Tells whether relations from a peer have the form of describe_relations() for some choice of two-valued attributes.
bool are_descriptions(const Relations& relations, const DescribeSettings& settings, const AnalysisColumns& columns,
                      std::int64_t rows);

}  // namespace pgmpc
