// Calls the SQL functions of mpc_internal for the coordinator: one function each, in its own short transaction.
//
// Errors
// ErrorFieldsException with the SQL function's SQLSTATE when it raises.
//
// Invariants
// Nothing is cached here.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/message.h"

namespace pgmpc::tables {

struct KnownPeer {
  std::string party, url, certificate, fingerprint, next_fingerprint;  // next_fingerprint may be empty
};

struct OutboxEntry {
  std::string id, party;
  Json message;
};

struct StudyState {
  std::string state, sqlstate, last_error;
};

bool extension_exists();
std::string extension_version();
// After a restart: returns each party of a study that can run, with its attempts that the tables still call running
// although no engine runs them.
std::vector<std::pair<std::string, std::vector<std::string>>> parties_to_tell_of_restart();
void recover();
void drop_unused_records();
std::vector<KnownPeer> peer_list();
void peer_seen(const std::string& party);
Json control(const std::string& party, const Json& message);
// Returns what an engine needs. ErrorFieldsException unless this node approved the study and everything is in order.
Json start_job(const std::string& study);
std::optional<StudyState> study_state(const std::string& study);

// Records who asked this node for a start, a cancellation or a first step of step-by-step mode. Ignores unknown
// studies.
void record_request(const std::string& study, const std::string& what, std::int64_t role);
// relied_on: what each peer has just said, by party: "ready" or "start".
void attempt_started(const std::string& study, const std::string& attempt, bool manual, bool rehearsal,
                     const Json& relied_on);
void attempt_step(const std::string& study, const std::string& attempt, const Json& row);
void attempt_matched(const std::string& study, const std::string& attempt, std::int64_t records);
// Records that this node can store the result of the attempt.
void attempt_promised(const std::string& study, const std::string& attempt);
// Records that the engine of this node, which is no recipient, has ended well.
void attempt_computed(const std::string& attempt);
void attempt_released(const std::string& study, const std::string& attempt, const Json& result);
void attempt_rehearsed(const std::string& study, const std::string& attempt);
// Charges an early attempt (53_early_attempts.sql) to the peers that started and ended it; empty: this node, or
// unknown.
void charge_early_attempt(const std::string& attempt, const std::string& started_by, const std::string& ended_by);
void attempt_failed(const std::string& study, const std::string& attempt, const pg::ErrorFields& error, bool cancelled);

// False for the SQL of version 0.1.0, in which nodes neither promise to store a result nor ask for one.
bool knows_outcomes();
// Returns what this node must ask peers about attempts whose result it may have missed; id is the attempt.
std::vector<OutboxEntry> awaited_results();
// Takes a peer's answer. Returns how the attempt ended, empty while that is not decided. own_result: of this node's
// engine, null when it has none.
std::string outcome_received(const std::string& attempt, const std::string& party, const Json& answer,
                             const Json& own_result);

std::vector<OutboxEntry> outbox_pending();
void outbox_delivered(const std::string& id);
// passing: the peer may take the same message later.
void outbox_refused(const std::string& id, const pg::ErrorFields& error, bool passing);
// The peer holds this version of the study and misses some before the one in the message. 0: it has none.
void outbox_gap(const std::string& id, std::int64_t held);

}  // namespace pgmpc::tables
