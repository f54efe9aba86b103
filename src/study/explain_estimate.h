// What: the numbers of explain: sizes, rounds and times worked out from the spec.
// Terms: see explain.h. Times are for the portable code on two cores; the vector code is several times faster.
// Invariants: pure functions of the spec; nullopt whenever expected_records is needed and absent.
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

StepEstimate estimate_prepare(const Spec& spec);
StepEstimate estimate_agree_key(const Spec& spec);
StepEstimate estimate_scramble(const Spec& spec, int controller);
StepEstimate estimate_push(const Spec& spec, int controller);
StepEstimate estimate_match(const Spec& spec);
StepEstimate estimate_mask(const Spec& spec, int controller);       // masks for the other's columns
StepEstimate estimate_send_sums(const Spec& spec, int controller);  // third party to this controller
StepEstimate estimate_decrypt(const Spec& spec, int controller);
StepEstimate estimate_share(const Spec& spec, int party);
StepEstimate estimate_fit(const Spec& spec);

// Base-2 logarithm of records * columns * 2^-80; nullopt without expected_records.
std::optional<double> join_exposure_log2(const Spec& spec);

}  // namespace pgmpc
