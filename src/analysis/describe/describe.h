// The kind describe ("Table 1"): numbers of records, means, standard deviations and shares of levels, also by group;
// cross-tables; correlations.
//
// Invariants
// A table whose columns violate a disclosure rule, or that has a cell below min_level_count, is withheld as a
// whole: a single missing cell follows from the margins. What is withheld is opened as zeros, so that no message depends on
// it; only the recipients learn which tables are withheld.
//
// Source
// docs/design/describe.md.
#pragma once
#include <memory>
#include <string>

#include "analysis/computation.h"
#include "analysis/describe/settings.h"

namespace pgmpc {

// Reads an entry of "analyses" (analysis/registry.h).
std::shared_ptr<const Analysis> read_describe(const nlohmann::json& value, const std::string& pointer,
                                              const SpecContext& around);
std::shared_ptr<const Analysis> make_describe(DescribeSettings settings);

// Computes everything up to the release. The result refers to the run.
std::unique_ptr<Computed> compute_describe(const AnalysisRun& run, const DescribeSettings& settings);

// Returns the cost of one analysis.
Cost describe_cost(const PlannedStudy& study, const AnalysisColumns& columns, const DescribeSettings& settings);

inline constexpr int kCountBits = 33;  // of an opened number of records

// Number of records that a released count is a multiple of.
std::int64_t count_step(Precision precision);

}  // namespace pgmpc
