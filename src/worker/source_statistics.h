// Keeps the planner's statistics about values of the source out of the engine's catalog cache.
//
// Security
// Statistics hold values: the most common ones and bounds of histograms. The server reads them through its catalog
// cache, which would keep them in the engine's memory until it ends. Attribute values must be destroyed after step 3.
//
// Invariants
// This is for processes that only read sources (engines). The planner receives copies of rows of pg_statistic, for
// columns and for expressions of indexes; they are overwritten when it releases them. It has no extended statistics
// (CREATE STATISTICS), because no hook replaces them.
#pragma once

namespace pgmpc {

// Installs the hooks for the rest of the process.
void keep_statistics_out_of_cache() noexcept;

}  // namespace pgmpc
