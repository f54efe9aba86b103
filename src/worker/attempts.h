// What: the attempts this node takes part in, as the coordinator knows them: engines, step rows, permits, waiters.
// Terms: attempt in force = the one attempt of a study that has not ended (forming, or its engine runs);
//        forming = the third party has given out its id, its own engine is not up yet (manual mode);
//        permit = in manual mode the SQL call of a step allows the engine to begin it;
//        waiter = a socket connection that waits for the end of an attempt or of one step;
//        life = one run of a coordinator, a random id: what its party entered in a former life is lost.
//        rehearsal = an attempt that ends with the match, without a result; never by hand.
//        record = what an attempt writes into tables: a step, the match, the result, its end.
// Invariants: records are written in their order; one that the tables do not take now (a lock, a full disk) is tried
//             again, and the engine waits for it; after pg_mpc.step_timeout the attempt ends, unless its result is
//             opened: that is kept until it is stored. At most one attempt in force per study; an attempt ends exactly
//             once, in the tables first, then for its waiters; events of an engine whose attempt has ended are ignored;
//             the attempts that ended last are kept, each study's last one, so that a late waiter still gets its rows;
//             of older ones the tables know the outcome.
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
#include <vector>

#include "ipc/local_socket.h"
#include "pg/workers.h"
#include "worker/message.h"

namespace pgmpc {

using ConnectionId = LocalServer::ConnectionId;

// How an attempt runs: all its parties agree on it.
struct RunKind {
  bool manual = false, rehearsal = false;
  bool operator==(const RunKind&) const = default;
};

// Why nothing of another kind can be started while this runs.
Error runs_otherwise(const std::string& study, RunKind running);

struct Attempt {
  enum class State { forming, running, released, rehearsed, failed, cancelled };
  struct Waiter {
    ConnectionId connection;
    std::string step;  // empty: waits for the end and gets every step row
  };

  std::string study, id;
  RunKind kind;
  State state = State::forming;
  Json job;                                  // null while forming
  std::set<std::string> joined;              // third party: who has asked for this id and got it
  std::map<std::string, std::string> lives;  // of the parties that have been given this id, as far as this node knows
  std::optional<pg::Fault> fault;
  std::optional<pg::Fault> stopping;  // a peer has left: how the attempt ends unless its engine says why itself
  std::string left;                   // that peer, or the one because of which it left
  std::string started_by, ended_by;   // peers that say so of themselves; empty: this node, or unknown

  pg::EngineHandle* engine = nullptr;
  int pid = 0;
  std::optional<ConnectionId> connection;  // of the engine
  std::vector<Json> rows;                  // steps that are recorded
  std::vector<Waiter> waiters;
  std::optional<std::int64_t> matched;  // as announced and recorded
  // The engine has ended well, so nothing else ends the attempt: a recipient has its result still to store, another
  // party waits until a recipient says that it has (unconfirmed).
  bool opened = false, unconfirmed = false;
  Json result;  // while unconfirmed

  std::set<std::string> permits;
  std::set<std::string> unseen;  // steps by hand that ended while nobody waited (their caller timed out)
  std::string held_at;           // step before which the engine waits
  // By hand: the peer that the engine has been waiting for, and why it cannot be reached; empty: none.
  std::string awaited, awaited_cause;

  Json progress = Json::object();
  std::time_t started_at = 0;

  // Peers that take part, as far as this node knows: while forming, those that have been given the id.
  std::set<std::string> members() const;
  bool has_member(const std::string& party) const { return members().contains(party); }
  bool in_force() const { return state == State::forming || state == State::running; }
  // Name of the first step of this node that has no row yet; empty when all are done.
  std::string next_step() const;
  std::vector<Json> rows_of(const std::string& step) const;
};

// Why an attempt whose result, or match, is opened neither ends nor makes room for another one.
Error is_opened(const Attempt& attempt, std::string detail, std::string hint);

// Error(wrong_state) unless two jobs, or a job and a message, name the same commitments to the data ("data").
void require_same_data(const std::string& study, const Json& one, const Json& other);

class AttemptBook {
 public:
  struct Hooks {
    std::function<bool(ConnectionId, const Json&)> send;  // false: that connection has gone
    // Tells the peers that this node's part of the attempt is over.
    std::function<void(const Attempt&, const std::string& reason)> stop_peers;
    // Recipients have to be asked what became of an attempt (worker/outcomes.h).
    std::function<void()> ask_outcomes;
  };

  AttemptBook(EventLoop& loop, Hooks hooks) : loop_(loop), hooks_(std::move(hooks)) {}

  Attempt* find(const std::string& id);
  Attempt* latest(const std::string& study);
  Attempt* in_force(const std::string& study);
  std::size_t running() const;

  // A new attempt of which only the id exists yet (third party, manual mode).
  Attempt& form(const std::string& study, const std::string& id);
  // Starts this node's engine; no effect when that attempt has an engine already. Throws when it cannot.
  // relied_on: what peers have said right before (tables.h); started_by: the peer that starts the attempt; empty: this
  // node.
  Attempt& launch(const std::string& study, const std::string& id, RunKind kind, Json job, const Json& relied_on,
                  const std::string& started_by = "");
  void finish(Attempt& attempt, Attempt::State state, std::optional<pg::Fault> fault);
  // A peer says that the attempt is over for it.
  // left: the party that left first, as the sender knows; empty: the sender itself.
  void peer_stopped(Attempt& attempt, const std::string& sender, const std::string& reason, const std::string& left);
  // A peer's coordinator has begun this life: attempts that it knows to be lost, and those of a former life, are over.
  void peer_restarted(const std::string& party, const std::string& life, const std::set<std::string>& lost);

  // What recipients say of an attempt that is unconfirmed here.
  Json result_of(const std::string& id) const;
  void outcome_decided(const std::string& id, bool released);

  void engine_connected(ConnectionId connection, const std::string& id);
  bool is_engine(ConnectionId connection) const { return engines_.contains(connection); }
  void engine_event(ConnectionId connection, const Json& event);
  void connection_closed(ConnectionId connection);
  void check_engines();  // after the latch was set: notices engines that have gone

  void wait_for_end(Attempt& attempt, ConnectionId waiter);
  void wait_for_study(const std::string& study, ConnectionId waiter);  // no attempt yet
  std::map<std::string, std::vector<ConnectionId>> take_early_waiters();
  void wait_for_step(Attempt& attempt, const std::string& step, ConnectionId waiter);
  void permit(Attempt& attempt, std::string step);
  Json progress();

 private:
  // Something to write, in its order; then done is called. Refused for good: refused is called.
  struct Record {
    std::string what;
    std::function<void()> write, done;
    std::function<void(const pg::Fault&)> refused;
    std::chrono::steady_clock::time_point since{};
  };
  void record(const std::string& id, Record record);
  bool write_next(const std::string& id);  // false: nothing to write, or not now
  void write_again();
  void give_up_waiting(const std::string& id, const Record& record, const pg::Fault& fault);
  void recorded(const std::string& id, const std::string& what);

  void replace_latest(const std::string& study, const std::string& id);
  void forget_oldest();
  void record_or_end(const std::string& id, std::string what, std::function<void()> write, std::function<void()> done);
  void record_end(const std::string& id, std::string what, Attempt::State state, std::function<void()> write);
  void record_step(Attempt& attempt, const Json& row);
  void record_match(Attempt& attempt, std::int64_t records);
  void record_promise(Attempt& attempt);
  void end_for(const std::string& id, const pg::Fault& fault);
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
  std::deque<std::string> ended_;                      // attempts, the oldest first
  std::map<std::string, std::deque<Record>> records_;  // attempt -> what its tables have not taken yet
  bool writing_again_ = false;
  std::map<ConnectionId, std::string> engines_;
  std::map<std::string, std::vector<ConnectionId>> early_waiters_;
};

}  // namespace pgmpc
