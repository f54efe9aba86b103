// What: keeps what the planner knows about the values of the source out of the engine's catalog cache.
// Why: statistics hold values (the most common ones, bounds of histograms). The server reads them through its catalog
// cache,
//      which would keep them in the engine's memory until it ends; attribute values have to be gone after step 3.
// Invariants: for processes that only read sources (engines). Plans are the same: the statistics are read as rows of
//             pg_statistic instead, and overwritten when the planner gives them back.
#pragma once

namespace pgmpc {

void keep_statistics_out_of_cache() noexcept;

}  // namespace pgmpc
