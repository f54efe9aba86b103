// Begins attempts: readiness, arbitration, and the launch of the engines of all three parties.
//
// Terms
// start: automatic mode; one party starts all three engines.
// join: step-by-step mode; each party starts its own engine by mpc.prepare.
// arbitration: the third party's coordinator decides which attempt id is in force when several parties begin at once.
// operation: one start or join that waits for answers of peers.
//
// Invariants
// Engines start only after every peer that is needed has said that it is ready for the same digest. A party that asks
// again for an attempt that it has entered, or names it as ended, has lost its engine; it receives a new attempt.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ipc/event_loop.h"
#include "worker/attempts.h"
#include "worker/peer_client.h"

namespace pgmpc {

class Starter {
 public:
  using Done = std::function<void(const Json& reply)>;

  Starter(EventLoop& loop, AttemptRegistry& book, PeerClient& peers);

  // Incarnation id of this coordinator (attempts.h).
  const std::string& incarnation() const { return incarnation_; }

  // Starts a study, or its rehearsal, for a backend of this node. `done` receives {"ok":{"attempt": ...}} or an error,
  // perhaps later.
  void start(const std::string& study, bool rehearsal, Done done);
  // First step of step-by-step mode: `done` is called as above once this node's engine has been started.
  void prepare(const std::string& study, Done done);
  // Ends the operation of the study. True when there was one; its callers receive 57014.
  bool give_up(const std::string& study);

  // For a peer's coordinator: return {"attempt": ..., "life": ...}, the attempt in force and this incarnation id.
  Json peer_starts(const std::string& party, const Json& message);
  Json peer_joins(const std::string& party, const Json& message);

 private:
  struct Operation;
  using OperationPtr = std::shared_ptr<Operation>;

  void begin(const std::string& study, RunKind kind, Done done);
  void ask_ready(OperationPtr operation);
  void take_answer(OperationPtr operation, const std::string& party, bool ready, const pg::ErrorFields& reason);
  void round_over(OperationPtr operation);
  void arbitrate(OperationPtr operation);
  void launch(OperationPtr operation, const std::string& attempt);
  void withdraw(const Operation& operation, const std::string& attempt);
  void start_controllers(OperationPtr operation, const std::string& attempt);
  void end(OperationPtr operation, const Json& reply);
  void guarded(OperationPtr operation, const std::function<void()>& body);
  Json entered(Attempt& attempt, const std::string& party, const std::string& incarnation);
  void note_peer(const std::string& attempt, const std::string& party, const std::string& incarnation);
  static bool lost(const Attempt& known, const std::string& party, const Json& message);
  Json agreed_job(const std::string& party, const Json& message);

  EventLoop& loop_;
  AttemptRegistry& registry_;
  PeerClient& peers_;
  const std::string incarnation_;
  std::map<std::string, OperationPtr> operations_;  // by study
};

}  // namespace pgmpc
