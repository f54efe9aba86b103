// What: the numbers of explain: sizes, rounds and times worked out from the spec and a number of records.
// Terms: see explain.h. Times are for the portable code on two cores; the vector code is several times faster.
// Invariants: pure functions; nullopt whenever the number of records is needed and unknown.
#pragma once
#include <cstdint>
#include <optional>

#include "study/spec.h"

namespace pgmpc {

using Count = std::optional<std::int64_t>;
using Seconds = std::optional<double>;

struct StepEstimate {
  Count records, bytes, rounds;
  Seconds seconds;
};

// records: how many the party of the row pushes (up to step 4), how many matched (from step 5 on).
StepEstimate estimate_prepare(const Count& records);
StepEstimate estimate_agree_key();
StepEstimate estimate_scramble(const Spec& spec, int controller, const Count& records);
StepEstimate estimate_push(const Spec& spec, int controller, const Count& records);
StepEstimate estimate_match(const Count& records);
StepEstimate estimate_mask(const Spec& spec, int controller, const Count& records);       // for the other's columns
StepEstimate estimate_send_sums(const Spec& spec, int controller, const Count& records);  // third party to this one
StepEstimate estimate_decrypt(const Spec& spec, int controller, const Count& records);
StepEstimate estimate_share(const Spec& spec, int party, const Count& records);
StepEstimate estimate_analyses(const Spec& spec, const Count& records);

// Base-2 logarithm of records * columns * 2^-80; nullopt without expected_records.
std::optional<double> join_exposure_log2(const Spec& spec);

// Error(limit_exceeded) for a spec whose run would be refused after the match, whatever the data: the statistical
// distance of what it may open is above the limit of the engine.
void require_feasible(const Spec& spec);

}  // namespace pgmpc
