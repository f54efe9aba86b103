// What: the seam through which the security tests break the protocol on purpose. Each attack of the security review
//       runs against the right code (must find nothing) and against its mutant (must succeed).
// Invariant: outside the testing flavour mutant() is a constant false and the functions do nothing: no mutant is left
//            after compilation.
#pragma once
#include <functional>

#include "base/bytes.h"

namespace pgmpc {

enum class Mutant {
  none,
  opening_mask_reuses_zero_label,  // F1: R and the zero share drawn from one label
  reshare_one_label,               // F1: both directions of a reshare share one label
  no_zero_sharing,                 // F4: masked opening without the zero sharing
  no_opening_mask,                 // masks R left out
  no_input_mask,                   // inputs shared with 0 in place of the third party's pseudorandom share
  no_reshare_mask,                 // evaluators reshare their outputs with 0 in place of the pseudorandom share
  no_key_share_mask,               // F29: the constants beside a comparison key reach one evaluator in clear
  no_table_share,                  // truth tables reach one evaluator in clear
  no_lookup_mask,                  // what is looked up in truth tables reaches both evaluators in clear
  no_result_mask,                  // the result of a comparison by truth tables reaches both evaluators in clear
  unchecked_openings,              // openings that are not compared with what else is known
  fixed_dcf_seeds,                 // F29: comparison keys made from seeds everybody knows
  inexact_release,                 // F16: release by probabilistic truncation
  textbook_own_randomness,         // own-key encryption with r^N instead of squares
  masks_with_base_of_key,          // B8: masks made with h_s of the key, not with an own base
  bases_of_key,                    // B8: the same, and the third party's randomness too
  announces_at_once,               // B12: the match count is announced as soon as it is known
  reads_one_side_first,            // B12: the third party takes one side's hashes before the other's
  joint_memory_limit,              // B5: the third party's limit is compared with the records of both sides
  no_dominance_rule,               // F11: precheck without the dominance rule
  no_leverage_rule,                // precheck without the leverage of stretches
  no_mean_leverage_rule,           // precheck without the mean leverage
  no_vif_rule,                     // precheck without the collinearity bound
  no_level_rule,                   // F11: precheck without the level rule
  unrounded_release,               // statistical precision: released without rounding to the grid
  promises_late,                   // a party promises to store the result when it is opened already
  sql_type_decides,                // F11: only columns of SQL type boolean count as two-valued
  signed_faults,                   // F11: violations of a rule that is off count as less than none
  join_masks_reused,               // F2: the same masks in two attempts
  rehearsal_makes_keys,            // a rehearsal makes key pairs, and sends the public keys
  reads_past_block,                // for the sanitizers: an engine reads behind a block of its heap
  overflows,                       // for the sanitizers: an engine adds one to the largest int
  races,                           // for the sanitizers: two threads of an engine write the same number
};

#ifdef PG_MPC_TESTING
// The mutant of a whole server: PG_MPC_MUTANT in its environment is the name of one of those for the sanitizers.
Mutant mutant_of_environment() noexcept;
inline Mutant active_mutant = mutant_of_environment();
inline bool mutant(Mutant m) { return active_mutant == m; }
// A party that does not keep to the protocol: may change a message before it is sealed.
inline std::function<void(int from, int to, int step, Bytes& message)> dishonest;
inline void deviate(int from, int to, int step, Bytes& message) {
  if (dishonest) dishonest(from, to, step, message);
}
void do_what_sanitizers_find() noexcept;  // if the mutant is one of those for the sanitizers
#else
constexpr bool mutant(Mutant) { return false; }
inline void deviate(int, int, int, Bytes&) {}
inline void do_what_sanitizers_find() noexcept {}
#endif

}  // namespace pgmpc
