// What: keeps what the planner knows about the values of the source out of the engine's catalog cache.
// Why: statistics hold values (the most common ones, bounds of histograms). The server reads them through its catalog
//      cache, which would keep them in the engine's memory until it ends; attribute values must be gone after step 3.
// Invariants: for processes that only read sources (engines). The planner gets rows of pg_statistic instead, which are
//             overwritten when it gives them back, for columns and for the expressions of indexes. It has no extended
//             statistics (CREATE STATISTICS): there is no such way to them.
#pragma once

namespace pgmpc {

void keep_statistics_out_of_cache() noexcept;

}  // namespace pgmpc
