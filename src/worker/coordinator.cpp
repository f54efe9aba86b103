// Implements the coordinator's socket, its dispatch and its start-up (coordinator.h). coordinator_requests.cpp handles
// the requests.
#include "worker/coordinator.h"

#include "base/locked_arena.h"
#include "crypto/secret_process.h"
#include "pg/guc.h"
#include "pg/version.h"
#include "worker/tables.h"

namespace pgmpc {
namespace {

constexpr std::chrono::milliseconds kExtensionPause{5000};
constexpr std::chrono::milliseconds kIdentityPause{2000};
constexpr std::chrono::hours kCleaningPause{1};
constexpr std::chrono::seconds kOutboxPause{30};  // the outbox is polled, because a wake-up may get lost
constexpr std::chrono::milliseconds kStopTimeout{5000};

}  // namespace

Coordinator::Coordinator()
    : peers_(loop_),
      registry_(loop_, {[this](ConnectionId to, const Json& object) { return server_->send(to, to_frame(object)); },
                        [this](const Attempt& attempt, const std::string& reason) { stop_peers(attempt, reason); },
                        [this] { loop_.post([this] { outcomes_.wake(); }); }}),
      starter_(loop_, registry_, peers_),
      outbox_(loop_, peers_),
      outcomes_(loop_, peers_,
                {[this](const std::string& attempt) { return registry_.result_of(attempt); },
                 [this](const std::string& attempt, bool released) { registry_.outcome_decided(attempt, released); }}) {
  ensure_private_directory(kPrivateDirectory);
  if (!memory_can_be_locked(LockedArena::kProcessBytes + kOpenSslSecureBytes))
    pg::log_warning(
        "keys of this node's studies cannot be locked in memory and could reach swap: raise the limit of "
        "locked memory (LimitMEMLOCK of the service, ulimit -l) to 256 kB or more");
  load_identity();
  server_ = std::make_unique<LocalServer>(
      loop_, kCoordinatorSocket,
      LocalServer::Handlers{nullptr, [this](ConnectionId from, Bytes frame) { take(from, frame); },
                            [this](ConnectionId from) { closed(from); }});
  find_extension();
  loop_.after(kOutboxPause, [this] { poll_outbox(); });
}

void Coordinator::poll_outbox() {
  loop_.after(kOutboxPause, [this] { poll_outbox(); });
  if (!loaded_) return;
  outbox_.look();
  review_early_waiters();
  if (EventLoop::Clock::now() >= next_cleaning_) drop_unused_records();
}

// Approvals expire without an event. The records that belong to them are deleted soon after.
void Coordinator::drop_unused_records() {
  next_cleaning_ = EventLoop::Clock::now() + kCleaningPause;
  try {
    tables::drop_unused_records();
  } catch (...) {
    pg::log_warning("could not delete records that no study uses: " + pg::current_error().message);
  }
}

// Like the listener, tries again while a file cannot be used, so that correcting the file is enough.
void Coordinator::load_identity() {
  loop_.cancel(std::exchange(identity_timer_, 0));
  const std::string before = peers_.identity_problem_text();
  peers_.load_identity();
  const std::string now = peers_.identity_problem_text();
  const bool named = guc::party()[0] != '\0' && guc::certificate_file()[0] != '\0';
  if (!now.empty() && named) identity_timer_ = loop_.after(kIdentityPause, [this] { load_identity(); });
  if (now == before) return;
  if (!now.empty()) return pg::log_warning("peers cannot be called under the configured certificate: " + now);
  pg::log_line("the certificate of this node is loaded");
  if (!loaded_) return;
  outbox_.wake();
  outcomes_.wake();
}

// Logs nothing while the extension does not exist. Requests check for it themselves; this finds it without a request.
void Coordinator::find_extension() {
  try {
    load_tables();
  } catch (...) {
    pg::log_warning("could not load peers and studies: " + pg::current_error().message);
  }
  if (!loaded_) loop_.after(kExtensionPause, [this] { find_extension(); });
}

void Coordinator::load_tables() {
  if (loaded_ || !tables::extension_exists()) return;
  if (std::string problem = pg::version_problem(tables::extension_version()); !problem.empty())
    pg::log_warning(problem + ": " + pg::kVersionHint);
  const auto parties = tables::parties_to_tell_of_restart();
  tables::recover();
  loaded_ = true;
  reload();
  tell_of_restart(parties);
  outbox_.wake();
  outcomes_.wake();
}

// Tells the parties of studies that can run which of their attempts this node lost in a crash, so that they do not wait
// for step_timeout. Also sends its incarnation id: attempt ids that it received or assigned before, without having
// recorded them, are lost too.
void Coordinator::tell_of_restart(const std::vector<std::pair<std::string, std::vector<std::string>>>& parties) {
  for (const auto& [party, lost] : parties)
    if (peers_.peers().contains(party))
      peers_.control(party, {{"type", "restarted"}, {"life", starter_.incarnation()}, {"lost", lost}}, kStopTimeout,
                     [](const Json&) {});
}

void Coordinator::require_tables() {
  load_tables();
  if (!loaded_)
    throw Error(ErrorCode::wrong_state, "extension pg_mpc does not exist in the database of this node",
                std::string("pg_mpc.database is ") + guc::database() + ".", "Run CREATE EXTENSION pg_mpc there.");
}

void Coordinator::reload() {
  peers_.set_peers(tables::peer_list());
  push_peers();
}

void Coordinator::push_peers() {
  // Without the tables there is no list, and the listener accepts no connection until it has one.
  if (!listener_ || !loaded_) return;
  Json list = Json::array();
  for (const auto& [party, peer] : peers_.peers()) {
    list.push_back({{"party", party}, {"fingerprint", peer.fingerprint}});
    if (!peer.next_fingerprint.empty()) list.push_back({{"party", party}, {"fingerprint", peer.next_fingerprint}});
  }
  send(*listener_, {{"op", "peers"}, {"peers", list}});
}

void Coordinator::send(ConnectionId connection, const Json& object) { server_->send(connection, to_frame(object)); }

Starter::Done Coordinator::answer_to(ConnectionId connection) {
  return [this, connection](const Json& reply) { send(connection, reply); };
}

void Coordinator::take(ConnectionId connection, const Bytes& frame) {
  try {
    Json request = parse_object(frame);
    if (registry_.is_engine(connection)) return registry_.engine_event(connection, request);
    dispatch(connection, text_member(request, "op"), request);
  } catch (...) {
    pg::ErrorFields error = pg::current_error();
    // The extension was dropped, and perhaps created again: check for it at the next request.
    if (error.sqlstate == "3F000" || error.sqlstate == "42883" || error.sqlstate == "42P01") {
      loaded_ = false;
      explain_versions(error);
    }
    if (registry_.is_engine(connection))
      return pg::log_warning("could not handle an event of an engine: " + error.message);
    send(connection, error_reply(error));
  }
}

// An object that the tables lack may be missing because the extension has another version.
void Coordinator::explain_versions(pg::ErrorFields& error) {
  try {
    std::string version = tables::extension_version(), problem = pg::version_problem(version);
    if (version.empty() || problem.empty()) return;
    error.detail = problem + ".";
    error.hint = pg::kVersionHint;
  } catch (...) {
    pg::log_warning("could not read the version of the extension: " + pg::current_error().message);
  }
}

void Coordinator::closed(ConnectionId connection) {
  if (listener_ == connection) listener_.reset();
  registry_.connection_closed(connection);
  owner_left(connection);
}

void Coordinator::dispatch(ConnectionId connection, const std::string& op, const Json& request) {
  if (op == "listener") {
    listener_ = connection;
    address_problems_ = request.value("address_problems", Json::array());
    return push_peers();
  }
  if (op == "engine") return registry_.engine_connected(connection, text_member(request, "attempt"));
  if (op == "status") return send(connection, ok_reply(status()));
  if (op == "progress") return send(connection, ok_reply(registry_.progress()));
  if (op == "awaited") return send(connection, ok_reply(awaited(text_member(request, "study"))));
  require_tables();
  if (op == "outbox") {
    review_early_waiters();
    return outbox_.wake();
  }
  if (op == "reload") {
    reload();
    return outbox_.wake();
  }
  if (op == "control") return control(connection, request);
  note_request(op, request);
  if (op == "start") return start(connection, request);
  if (op == "wait") return wait(connection, request);
  if (op == "step") return step(connection, request);
  if (op == "cancel") return cancel(connection, text_member(request, "study"));
  if (op == "ping")
    return peers_.ping(text_member(request, "peer"), std::chrono::milliseconds(5000), answer_to(connection));
  throw Error(ErrorCode::protocol_violation, "unknown request to the coordinator", op);
}

void Coordinator::stop_peers(const Attempt& attempt, const std::string& reason) {
  Json message{{"type", "cancel"}, {"study", attempt.study}, {"attempt", attempt.id}, {"reason", reason}};
  if (!attempt.left.empty()) message["left"] = attempt.left;
  for (const std::string& party : attempt.members()) peers_.control(party, message, kStopTimeout, [](const Json&) {});
}

}  // namespace pgmpc
