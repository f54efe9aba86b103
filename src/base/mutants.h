// Switches through which the security tests break the protocol on purpose.
// Each attack of the security review runs against the correct code, where it must find nothing, and against a mutant,
// where it must succeed. The comments name the rule of docs/rules.md that a mutant breaks.
//
// Invariants
// Outside the builds for tests (PG_MPC_TESTING) mutant() is a constant false and the functions do nothing, so the
// compiler removes every mutant.
#pragma once
#include <functional>

#include "base/bytes.h"

namespace pgmpc {

enum class Mutant {
  none,
  opening_mask_reuses_zero_label,  // F1: the mask R and the zero share come from one label
  reshare_one_label,               // F1: both directions of a reshare share one label
  no_zero_sharing,                 // F4: masked opening without the zero sharing
  no_opening_mask,                 // no masks R
  no_input_mask,                   // inputs are shared with 0 in place of the third party's pseudorandom share
  no_reshare_mask,                 // evaluators reshare their outputs with 0 in place of the pseudorandom share
  no_key_share_mask,               // F29: one evaluator receives the constants beside a comparison key unmasked
  no_table_share,                  // one evaluator receives truth tables unmasked
  no_lookup_mask,                  // both evaluators see the inputs of truth tables unmasked
  no_result_mask,                  // both evaluators see the result of a comparison by truth tables unmasked
  unchecked_openings,              // openings are not compared with what else is known
  fixed_dcf_seeds,                 // F29: comparison keys are made from seeds that everybody knows
  inexact_release,                 // F16: release by probabilistic truncation
  textbook_own_randomness,         // own-key encryption multiplies by r^N instead of by squares
  masks_with_base_of_key,          // B8: masks use the h_s of the key instead of an own base
  bases_of_key,                    // B8: the same, and so does the third party's randomness
  announces_at_once,               // B12: the match count is announced as soon as it is known
  reads_one_side_first,            // B12: the third party reads one side's hashes before the other's
  joint_memory_limit,              // B5: the third party's limit is compared with the records of both sides
  no_dominance_rule,               // F11: no dominance rule in the precheck
  no_leverage_rule,                // no leverage of stretches in the precheck
  no_mean_leverage_rule,           // no mean leverage in the precheck
  no_vif_rule,                     // no collinearity bound in the precheck
  no_level_rule,                   // F11: no level rule in the precheck
  no_cell_rule,                    // tables are released with cells below min_level_count
  nothing_withheld,                // the tables that a rule forbids are released
  unrounded_release,               // B2: numbers are released without rounding to the grid
  announces_any_count,             // F7: the third party announces a match count below the minimum, and goes on
  opens_each_violation,            // F25: the precheck opens a bit for each thing that its rules look at
  rules_not_awaited,               // F11: stop bits, validity bit and result do not wait for the bit of the rules
  promises_late,                   // a party promises to store the result when it is already opened
  sql_type_decides,                // B3: only columns of SQL type boolean count as two-valued
  signed_violations,               // B7: violations of a rule that is off count as negative
  join_masks_reused,               // F2: two attempts use the same masks
  rehearsal_makes_keys,            // a rehearsal makes key pairs and sends the public keys
  reads_past_block,                // for the sanitizers: an engine reads past the end of a heap block
  overflows,                       // for the sanitizers: an engine adds one to the largest int
  races,                           // for the sanitizers: two threads of an engine write the same number
};

#ifdef PG_MPC_TESTING
// The mutant that a whole server runs with: PG_MPC_MUTANT in its environment names one of those for the sanitizers.
Mutant mutant_of_environment() noexcept;
inline Mutant active_mutant = mutant_of_environment();
inline bool mutant(Mutant m) { return active_mutant == m; }
// Lets a test change a message before it is sealed, as a party that deviates from the protocol would.
inline std::function<void(int from, int to, int step, Bytes& message)> dishonest;
inline void deviate(int from, int to, int step, Bytes& message) {
  if (dishonest) dishonest(from, to, step, message);
}
void do_what_sanitizers_find() noexcept;  // acts only if the mutant is one of those for the sanitizers
#else
constexpr bool mutant(Mutant) { return false; }
inline void deviate(int, int, int, Bytes&) {}
inline void do_what_sanitizers_find() noexcept {}
#endif

}  // namespace pgmpc
