// Registers the attempts that this node takes part in, for the coordinator: engines, step rows, permits, waiters.
//
// Terms
// The attempt in force of a study is the one that has not ended: it is forming, or its engine runs.
// Forming: the third party has given out the id, and its own engine is not started yet (step-by-step mode).
// Permit: in step-by-step mode, the SQL call of a step allows the engine to begin that step.
// A waiter is a socket connection that waits for the end of an attempt or of one step.
// The incarnation id is a random id of one run of a coordinator; messages have it as "life". Attempts that a party
// entered in an earlier incarnation are lost.
// A rehearsal is an attempt that ends with the match, without a result; never in step-by-step mode.
// A record is what an attempt writes into tables: a step, the match, the result, its end.
//
// Invariants
// At most one attempt per study is in force, and an attempt ends once. Events of an engine whose attempt has ended are
// ignored. Records of an attempt are written in order. A record that the tables do not take now (a lock, a full disk)
// is written again, and the engine waits for it. After pg_mpc.step_timeout the attempt then ends, unless its result is
// opened or it runs in step-by-step mode; an opened result is kept until it is stored. A successful end is in the
// tables before its waiters get an answer. The last attempt of each study is kept, up to the 32 that ended last, so that
// a late waiter still receives its rows. Outcomes of older attempts are in the tables.
#pragma once
#include <chrono>
#include <ctime>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ipc/local_socket.h"
#include "pg/workers.h"
#include "worker/message.h"

namespace pgmpc {

using ConnectionId = LocalServer::ConnectionId;

// How an attempt runs; all its parties agree on it.
struct RunKind {
  bool manual = false, rehearsal = false;
  bool operator==(const RunKind&) const = default;
};

// The error for a request to start another kind of attempt while one of this kind runs.
Error runs_otherwise(const std::string& study, RunKind running);

struct Attempt {
  enum class State { forming, running, released, rehearsed, failed, cancelled };
  struct Waiter {
    ConnectionId connection;
    std::string step;  // empty: waits for the end, and receives every step row
  };

  std::string study, id;
  RunKind kind;
  State state = State::forming;
  Json job;                                         // null while forming
  std::string analysis_step;                        // name of step 8; empty while forming
  std::set<std::string> joined;                     // at the third party: who has asked for this id and received it
  std::map<std::string, std::string> incarnations;  // incarnation id of each party with this attempt id, if known here
  std::optional<pg::ErrorFields> error;
  std::optional<pg::ErrorFields> stopping;  // a peer has left: the error of the attempt unless its engine reports one
  std::string left;                         // the party that left first, as far as this node knows
  std::string started_by, ended_by;         // peers that said so of themselves; empty: this node, or unknown

  pg::EngineHandle* engine = nullptr;
  int pid = 0;
  std::optional<ConnectionId> connection;  // of the engine
  std::vector<Json> rows;                  // steps that are recorded
  std::vector<Waiter> waiters;
  std::optional<std::int64_t> matched;  // as announced and recorded
  // opened: the engine has ended well, so nothing else ends the attempt. A recipient still has to store its result.
  // Another party waits until a recipient says that it has stored it (unconfirmed).
  bool opened = false, unconfirmed = false;
  Json result;  // while unconfirmed

  std::set<std::string> permits;
  std::set<std::string> unseen;  // steps that ended in step-by-step mode after their caller had timed out
  std::string held_at;           // step before which the engine waits
  // Step-by-step mode: the peer that the engine has been waiting for, and why it cannot be reached; empty: none.
  std::string awaited, awaited_cause;

  Json progress = Json::object();
  std::time_t started_at = 0;

  // The peers that take part. While forming: those that have received the id.
  std::set<std::string> members() const;
  bool has_member(const std::string& party) const { return members().contains(party); }
  bool in_force() const { return state == State::forming || state == State::running; }
  // Numbers and names of the steps of this node, in their order. Not while forming.
  std::vector<std::pair<int, std::string>> steps() const;
  // Name of the first step of this node that has no row yet; empty when all steps are done.
  std::string next_step() const;
  std::vector<Json> rows_of(const std::string& step) const;
};

// The error while an opened result, or match, keeps an attempt from ending or from being replaced.
Error is_opened(const Attempt& attempt, std::string detail, std::string hint);

// Error(wrong_state) unless two jobs, or a job and a message, name the same commitments to the data ("data").
void require_same_data(const std::string& study, const Json& one, const Json& other);

class AttemptRegistry {
 public:
  struct Hooks {
    std::function<bool(ConnectionId, const Json&)> send;  // false: the connection is gone
    // Tells the peers that this node's part of the attempt is over.
    std::function<void(const Attempt&, const std::string& reason)> stop_peers;
    // Recipients must be asked what became of an attempt (worker/outcomes.h).
    std::function<void()> ask_outcomes;
  };

  AttemptRegistry(EventLoop& loop, Hooks hooks) : loop_(loop), hooks_(std::move(hooks)) {}

  // Each returns nullptr when there is none. in_force() first ends an attempt whose peer has left.
  Attempt* find(const std::string& id);
  Attempt* latest(const std::string& study);
  Attempt* in_force(const std::string& study);
  std::size_t running() const;

  // Makes an attempt of which only the id exists (third party, step-by-step mode).
  Attempt& form(const std::string& study, const std::string& id);
  // Starts this node's engine; no effect when the attempt has one. relied_on: what peers have just answered (tables.h).
  // started_by: the peer that starts the attempt, empty for this node. Error(limit_exceeded) without a free worker
  // slot or above pg_mpc.max_studies, Error(wrong_state) when the attempt runs in another way,
  // ErrorFieldsException of tables.
  Attempt& launch(const std::string& study, const std::string& id, RunKind kind, Json job, const Json& relied_on,
                  const std::string& started_by = "");
  // Ends the attempt. No effect when it has ended, or when an opened one would fail or be cancelled.
  void finish(Attempt& attempt, Attempt::State state, std::optional<pg::ErrorFields> error);
  // A peer says that the attempt is over for it. left: the party that left first as the sender knows; empty: the
  // sender.
  void peer_stopped(Attempt& attempt, const std::string& sender, const std::string& reason, const std::string& left);
  // A peer's coordinator has this incarnation id now. Ends the attempts that it has lost, and those of earlier ids.
  void peer_restarted(const std::string& party, const std::string& incarnation, const std::set<std::string>& lost);

  // For recipients' answers about an attempt that is unconfirmed here.
  Json result_of(const std::string& id) const;
  void outcome_decided(const std::string& id, bool released);

  void engine_connected(ConnectionId connection, const std::string& id);
  bool is_engine(ConnectionId connection) const { return engines_.contains(connection); }
  void engine_event(ConnectionId connection, const Json& event);
  void connection_closed(ConnectionId connection);
  void check_engines();  // after the latch was set: finds engines that have exited

  void wait_for_end(Attempt& attempt, ConnectionId waiter);
  void wait_for_study(const std::string& study, ConnectionId waiter);  // before the study has an attempt
  std::map<std::string, std::vector<ConnectionId>> take_early_waiters();
  void wait_for_step(Attempt& attempt, const std::string& step, ConnectionId waiter);
  void permit(Attempt& attempt, std::string step);
  Json progress();

 private:
  // Something to write in order. done is called afterwards, refused when the tables refuse it for good.
  struct Record {
    std::string what;
    std::function<void()> write, done;
    std::function<void(const pg::ErrorFields&)> refused;
    std::chrono::steady_clock::time_point since{};
  };
  void record(const std::string& id, Record record);
  bool write_next(const std::string& id);  // false: nothing to write, or not possible now
  void write_again();
  void give_up_waiting(const std::string& id, const Record& record, const pg::ErrorFields& error);
  void recorded(const std::string& id, const std::string& what);

  void replace_latest(const std::string& study, const std::string& id);
  void forget_oldest();
  void record_or_end(const std::string& id, std::string what, std::function<void()> write, std::function<void()> done);
  void record_end(const std::string& id, std::string what, Attempt::State state, std::function<void()> write);
  void record_step(Attempt& attempt, const Json& row);
  void record_match(Attempt& attempt, std::int64_t records);
  void record_promise(Attempt& attempt);
  void end_for(const std::string& id, const pg::ErrorFields& error);
  void step_done(Attempt& attempt, const Json& row);
  void computed(Attempt& attempt, const Json& result);
  void await_recipients(Attempt& attempt);
  void released(Attempt& attempt, const Json& result);
  void rehearsed(Attempt& attempt);
  void answer_end(const Attempt& attempt, ConnectionId waiter);
  void engine_gone(const std::string& id);

  EventLoop& loop_;
  Hooks hooks_;
  std::map<std::string, std::unique_ptr<Attempt>> attempts_;
  std::map<std::string, std::string> latest_;          // study -> attempt
  std::deque<std::string> ended_;                      // ids of ended attempts, oldest first
  std::map<std::string, std::deque<Record>> records_;  // attempt -> records that its tables have not taken yet
  bool writing_again_ = false;
  std::map<ConnectionId, std::string> engines_;
  std::map<std::string, std::vector<ConnectionId>> early_waiters_;
};

}  // namespace pgmpc
