// The numbers of explain(): sizes, rounds and times, computed from the spec and a number of records.
//
// Terms
// See explain.h. Times are those of the portable code on two cores; the vector code is several times faster.
//
// Invariants
// All functions are pure. A result is nullopt when it needs the number of records and that is unknown.
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

// Estimate one row each. records: how many the party of the row pushes (up to step 4), or how many matched (from step 5
// on). Times of steps 2 and 4 contain the waits for the times at which messages may leave (study/pace.h). Those of
// estimate_send_sums are of the third party's randomness, which it multiplies in while the controllers mask.
StepEstimate estimate_prepare(const Count& records);
StepEstimate estimate_agree_key(const Count& records);
StepEstimate estimate_scramble(const Spec& spec, int controller, const Count& records);
StepEstimate estimate_push(const Spec& spec, int controller, const Count& records);
StepEstimate estimate_match(const Spec& spec);
StepEstimate estimate_mask(const Spec& spec, int controller, const Count& records);       // for the other's columns
StepEstimate estimate_send_sums(const Spec& spec, int controller, const Count& records);  // third party to this one
StepEstimate estimate_decrypt(const Spec& spec, int controller, const Count& records);
StepEstimate estimate_share(const Spec& spec, int party, const Count& records);
StepEstimate estimate_analyses(const Spec& spec, const Count& records);

// Returns the base-2 logarithm of records * columns * 2^-80, the statistical distance of the masked values of the join.
// nullopt without expected_records.
std::optional<double> join_exposure_log2(const Spec& spec);

// Throws Error(limit_exceeded) for a study that would fail after the match whatever the data are: when the statistical
// distance of what it may open is above the limit of the engine (kMostExposure), or when it releases more numbers than
// disclosure.released_numbers ever allows.
void require_feasible(const Spec& spec);

}  // namespace pgmpc
