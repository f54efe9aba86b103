// Coordinates the studies of a node. It takes requests of SQL backends, engines, the listener and peers' coordinators,
// turns them into short transactions and messages, and starts and ends engines.
//
// Terms
// A request is one JSON object on the coordinator's socket ({"op": ...}); see docs/architecture.md and message.h.
//
// Invariants
// Every request of a backend is answered once, except the notifications "outbox" and "reload"; "wait" streams events
// before its answer. An exception ends the request that caused it, never the coordinator. Nothing that must survive a
// restart is kept only here: recover() in the tables ends studies whose attempts were lost.
//
// Threads
// It is single-threaded inside one EventLoop.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ipc/event_loop.h"
#include "ipc/local_socket.h"
#include "worker/attempts.h"
#include "worker/outbox.h"
#include "worker/outcomes.h"
#include "worker/peer_client.h"
#include "worker/starter.h"

namespace pgmpc {

class Coordinator {
 public:
  Coordinator();

  EventLoop& loop() { return loop_; }
  void latch_was_set() { registry_.check_engines(); }
  void settings_changed() { load_identity(); }

 private:
  void take(ConnectionId connection, const Bytes& frame);
  static void explain_versions(pg::ErrorFields& error);
  void closed(ConnectionId connection);
  void dispatch(ConnectionId connection, const std::string& op, const Json& request);
  void send(ConnectionId connection, const Json& object);
  Starter::Done answer_to(ConnectionId connection);

  void note_request(const std::string& op, const Json& request);
  void start(ConnectionId connection, const Json& request);
  void owner_left(ConnectionId connection);
  void wait(ConnectionId connection, const Json& request);
  void wait_by_table(ConnectionId connection, const std::string& study);
  void review_early_waiters();
  void step(ConnectionId connection, const Json& request);
  void step_in(Attempt& attempt, const std::string& name, ConnectionId connection);
  Json awaited(const std::string& study);
  void cancel(ConnectionId connection, const std::string& study);
  Json status();
  void control(ConnectionId connection, const Json& request);
  Json peer_message(const std::string& party, const Json& message);
  Json peer_restarted(const std::string& party, const Json& message);
  void stop_peers(const Attempt& attempt, const std::string& reason);

  // Loads the contents of the tables once the extension exists. Error(wrong_state) while it does not.
  void require_tables();
  void load_tables();
  void tell_of_restart(const std::vector<std::pair<std::string, std::vector<std::string>>>& parties);
  void reload();
  void push_peers();
  void find_extension();
  void load_identity();
  void poll_outbox();
  void drop_unused_records();

  EventLoop loop_;
  PeerClient peers_;
  AttemptRegistry registry_;
  Starter starter_;
  Outbox outbox_;
  Outcomes outcomes_;
  std::unique_ptr<LocalServer> server_;
  std::optional<ConnectionId> listener_;
  Json address_problems_ = Json::array();  // what the listener reports about pg_mpc.listen_addresses
  EventLoop::TimerId identity_timer_ = 0;
  bool loaded_ = false;
  EventLoop::Clock::time_point next_cleaning_{};
  // Connections of mpc.run_study. Closing one before the end cancels its study. attempt is empty during the start.
  struct Owned {
    std::string study, attempt;
  };
  std::map<ConnectionId, Owned> owners_;
  std::map<std::string, EventLoop::Clock::time_point> seen_;
};

}  // namespace pgmpc
