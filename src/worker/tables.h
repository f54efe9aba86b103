// What: what the coordinator asks of the tables: one function per SQL function of mpc_internal, each in its own short
//       transaction.
// Invariants: FaultError with the SQL function's SQLSTATE when it raises; nothing is cached here.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/message.h"

namespace pgmpc::tables {

struct KnownPeer {
  std::string party, url, certificate, fingerprint, next_fingerprint;  // the last one may be empty
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
// After a restart: each party with which this node shares a study that can run, and its attempts that the tables call
// running, which nobody runs any more.
std::vector<std::pair<std::string, std::vector<std::string>>> parties_to_tell_of_restart();
void recover();
void drop_unused_records();
std::vector<KnownPeer> peer_list();
void peer_seen(const std::string& party);
Json control(const std::string& party, const Json& message);
// What an engine needs; raises unless this node approved the study and all is in order.
Json start_job(const std::string& study);
std::optional<StudyState> study_state(const std::string& study);

// Who asked this node for a start, a cancellation or (by hand) a first step. Unknown studies are left out.
void record_request(const std::string& study, const std::string& what, std::int64_t role);
// relied_on: what peers have said right before, by party: "ready" or "start".
void attempt_started(const std::string& study, const std::string& attempt, bool manual, bool rehearsal,
                     const Json& relied_on);
void attempt_step(const std::string& study, const std::string& attempt, const Json& row);
void attempt_matched(const std::string& study, const std::string& attempt, std::int64_t records);
// This node can store the result of the attempt.
void attempt_promised(const std::string& study, const std::string& attempt);
// The engine of this node, which is no recipient, has ended well.
void attempt_computed(const std::string& attempt);
void attempt_released(const std::string& study, const std::string& attempt, const Json& result);
void attempt_rehearsed(const std::string& study, const std::string& attempt);
// The peers that started and ended an attempt, if it was an early one (53_early_attempts.sql); empty: this node,
// unknown.
void charge_early_attempt(const std::string& attempt, const std::string& started_by, const std::string& ended_by);
void attempt_failed(const std::string& study, const std::string& attempt, const pg::Fault& fault, bool cancelled);

// False: the SQL of version 0.1.0, under which nobody promises to store a result, and nobody is asked for one.
bool knows_outcomes();
// What this node has to ask peers about attempts whose result it may have missed; id = the attempt.
std::vector<OutboxEntry> awaited_results();
// What a peer answers: how the attempt ended, empty while that is not decided. own_result: of this node's engine, null
// where it knows none.
std::string outcome_received(const std::string& attempt, const std::string& party, const Json& answer,
                             const Json& own_result);

std::vector<OutboxEntry> outbox_pending();
void outbox_delivered(const std::string& id);
// passing: the same message may be taken later.
void outbox_refused(const std::string& id, const pg::Fault& fault, bool passing);
// The peer holds this version of the study and misses some before the one in the message; 0: it has none.
void outbox_gap(const std::string& id, std::int64_t held);

}  // namespace pgmpc::tables
