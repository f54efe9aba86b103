// Handles each request to the coordinator (coordinator.h): waiting, step-by-step mode, cancelling, status, and messages
// of peers.
#include "pg/guc.h"
#include "protocol/protocol.h"
#include "study/step_facts.h"
#include "worker/coordinator.h"
#include "worker/tables.h"

namespace pgmpc {
namespace {

constexpr std::chrono::seconds kSeenPause{10};  // resolution of a peer's last_seen

Error not_running(const std::string& study) {
  return Error(ErrorCode::wrong_state, "study \"" + study + "\" is not running on this node",
               "No attempt of it is in force here.", "mpc.studies shows its state.");
}

Error unknown_study(const std::string& study) {
  return Error(ErrorCode::undefined_object, "study \"" + study + "\" does not exist",
               "This node has neither proposed it nor received it from a peer.",
               "View mpc.studies lists the studies that this node knows.");
}

std::string call_of(const std::string& step, const std::string& study) {
  return "The next step is mpc." + step + "('" + study + "').";
}

// Lists the steps of this node, and those of them that are done.
std::string progress_of(const Attempt& attempt) {
  std::string all, done;
  for (const auto& [number, step] : attempt.steps()) {
    all += (all.empty() ? "" : ", ") + step;
    if (!attempt.rows_of(step).empty()) done += (done.empty() ? "" : ", ") + step;
  }
  return "The steps of this node are " + all + "; done: " + (done.empty() ? "none" : done) + ".";
}

}  // namespace

// Puts the decision of a role of this node about a study into the ledger, whatever follows from it.
void Coordinator::note_request(const std::string& op, const Json& request) {
  if (!request.contains("role")) return;
  std::string what = op == "step" ? text_member(request, "name") : op;
  if (what == "start" && request.value("rehearsal", false)) what = "rehearse";
  if (what == "start" || what == "rehearse" || what == "cancel" || what == "prepare")
    tables::record_request(text_member(request, "study"), what, request.at("role").get<std::int64_t>());
}

void Coordinator::start(ConnectionId connection, const Json& request) {
  std::string study = text_member(request, "study");
  if (request.value("owner", false)) owners_[connection] = {study, ""};
  try {
    starter_.start(study, request.value("rehearsal", false), [this, connection](const Json& reply) {
      if (auto owner = owners_.find(connection); owner != owners_.end()) {
        if (reply.contains("error"))
          owners_.erase(owner);
        else
          owner->second.attempt = text_member(reply.at("ok"), "attempt");
      }
      send(connection, reply);
    });
  } catch (...) {
    owners_.erase(connection);  // a refused caller owns nothing: closing its connection must not end what runs
    throw;
  }
}

// The session that ran the study was cancelled or has ended: cancels the study.
void Coordinator::owner_left(ConnectionId connection) {
  auto found = owners_.find(connection);
  if (found == owners_.end()) return;
  Owned owned = found->second;
  owners_.erase(found);
  if (owned.attempt.empty()) starter_.give_up(owned.study);
  Attempt* attempt = registry_.in_force(owned.study);
  if (attempt != nullptr && (owned.attempt.empty() || attempt->id == owned.attempt))
    registry_.finish(*attempt, Attempt::State::cancelled,
                     pg::ErrorFields{"57014", "study \"" + owned.study + "\" was cancelled on this node", "", ""});
}

// With "attempt": waits for the outcome of that attempt. Without: for the study's next outcome, or answers its present
// one.
void Coordinator::wait(ConnectionId connection, const Json& request) {
  std::string study = text_member(request, "study");
  Attempt* attempt =
      request.contains("attempt") ? registry_.find(text_member(request, "attempt")) : registry_.in_force(study);
  if (attempt != nullptr && (request.contains("attempt") || !attempt->kind.rehearsal))
    return registry_.wait_for_end(*attempt, connection);
  wait_by_table(connection, study);
}

void Coordinator::wait_by_table(ConnectionId connection, const std::string& study) {
  auto found = tables::study_state(study);
  if (!found) throw unknown_study(study);
  if (found->state == "released") return send(connection, ok_reply({{"state", found->state}}));
  // A rehearsal is no outcome of its study, which can still be started afterwards.
  const Attempt* running = registry_.in_force(study);
  const bool rehearsing = running != nullptr && running->kind.rehearsal;
  if (rehearsing || found->state == "proposed" || found->state == "approved" || found->state == "rehearsed")
    return registry_.wait_for_study(study, connection);
  if (found->state == "failed" || found->state == "cancelled")
    return send(connection, error_reply({found->sqlstate.empty() ? "XX000" : found->sqlstate,
                                         found->last_error.empty() ? "the study has failed" : found->last_error, "",
                                         "mpc.start_study may start it again."}));
  throw Error(ErrorCode::wrong_state, "study \"" + study + "\" is " + found->state,
              "It does not run in this version any more.", "Propose it again: a new version needs new approvals.");
}

// Waiters of a study that has not begun must learn that it was rejected, withdrawn or has expired.
void Coordinator::review_early_waiters() {
  for (const auto& [study, waiters] : registry_.take_early_waiters())
    for (ConnectionId waiter : waiters) {
      try {
        wait_by_table(waiter, study);
      } catch (...) {
        send(waiter, error_reply(pg::current_error()));
      }
    }
}

void Coordinator::step(ConnectionId connection, const Json& request) {
  std::string study = text_member(request, "study"), name = text_member(request, "name");
  if (!is_step(name)) throw Error(ErrorCode::invalid_parameter, "unknown step", name);
  Attempt* attempt = registry_.in_force(study);
  bool running = attempt != nullptr && attempt->state == Attempt::State::running;
  if (running) return step_in(*attempt, name, connection);
  if (name != "prepare") {
    Attempt* ended = registry_.latest(study);
    if (ended != nullptr && ended->kind.manual && ended->error)
      throw Error(ErrorCode::wrong_state, "the attempt of study \"" + study + "\" has ended: " + ended->error->message,
                  ended->error->detail, "A new attempt begins with mpc.prepare('" + study + "').");
    tables::start_job(study);  // an unknown or unapproved study is reported before the order of steps
    throw Error(ErrorCode::wrong_state, "step " + name + " is out of order",
                "No attempt of the study runs on this node.", call_of("prepare", study));
  }
  starter_.prepare(study, [this, study, name, connection](const Json& reply) {
    if (reply.contains("error")) return send(connection, reply);
    Attempt* begun = registry_.latest(study);
    if (begun == nullptr) return send(connection, error_reply(pg::error_fields(not_running(study))));
    if (!begun->in_force()) return registry_.wait_for_end(*begun, connection);
    if (std::vector<Json> rows = begun->rows_of(name); !rows.empty()) return send(connection, ok_reply(rows));
    registry_.wait_for_step(*begun, name, connection);
  });
}

// A step of an attempt whose engine runs: only the next one is allowed.
void Coordinator::step_in(Attempt& attempt, const std::string& name, ConnectionId connection) {
  if (!attempt.kind.manual)
    throw Error(ErrorCode::wrong_state, "study \"" + attempt.study + "\" runs automatically",
                "It was started with mpc.run_study, mpc.run or mpc.start_study.",
                "Wait for it with mpc.wait_for_study.");
  // A call that timed out may be repeated, also when the step has ended since.
  if (attempt.unseen.erase(name) != 0) return send(connection, ok_reply(attempt.rows_of(name)));
  std::string next = attempt.next_step();
  if (name != next)
    throw Error(ErrorCode::wrong_state,
                "step " + name + (attempt.rows_of(name).empty() ? " is out of order" : " is done already"),
                progress_of(attempt), next.empty() ? "All steps of this node are done." : call_of(next, attempt.study));
  registry_.wait_for_step(attempt, name, connection);
  registry_.permit(attempt, name);
}

// For a step whose caller has timed out: the peer that the engine waits for, both empty when it waits for none.
Json Coordinator::awaited(const std::string& study) {
  Attempt* attempt = registry_.latest(study);
  if (attempt == nullptr || !attempt->in_force()) return {{"peer", ""}, {"cause", ""}};
  return {{"peer", attempt->awaited}, {"cause", attempt->awaited_cause}};
}

void Coordinator::cancel(ConnectionId connection, const std::string& study) {
  bool given_up = starter_.give_up(study);
  Attempt* attempt = registry_.in_force(study);
  if (attempt == nullptr && !given_up) {
    if (!tables::study_state(study)) throw unknown_study(study);
    throw not_running(study);
  }
  if (attempt != nullptr && attempt->opened)
    throw attempt->unconfirmed ? is_opened(*attempt, "This node waits until a recipient has stored it.",
                                           "mpc.studies on the nodes of the recipients shows the state of the study.")
                               : is_opened(*attempt, "This node has it, but cannot store it at the moment.",
                                           "The server log has the reason. The node stores it as soon as it can.");
  if (attempt != nullptr)
    registry_.finish(*attempt, Attempt::State::cancelled,
                     pg::ErrorFields{"57014", "study \"" + study + "\" was cancelled on this node", "", ""});
  send(connection, ok_reply());
}

Json Coordinator::status() {
  bool exists = loaded_ || tables::extension_exists();
  Json peers = Json::array();
  for (const auto& [party, peer] : peers_.peers()) peers.push_back(party);
  Json answer{{"party", guc::party()},
              {"database", guc::database()},
              {"extension", exists},
              {"listener", listener_.has_value()},
              {"address_problems", address_problems_},
              {"engines", registry_.running()},
              {"max_studies", guc::max_studies()},
              {"peers", peers}};
  if (peers_.identity_problem()) answer["problem"] = error_reply(*peers_.identity_problem())["error"];
  return answer;
}

// A message of a peer's coordinator. It comes from the listener, which has authenticated the party.
void Coordinator::control(ConnectionId connection, const Json& request) {
  std::string party = text_member(request, "party");
  auto now = EventLoop::Clock::now();
  if (auto seen = seen_.find(party); seen == seen_.end() || now - seen->second > kSeenPause) {
    tables::peer_seen(party);
    seen_[party] = now;
  }
  auto message = request.find("message");
  if (message == request.end() || !message->is_object())
    throw Error(ErrorCode::protocol_violation, "message of a peer is not a JSON object");
  send(connection, ok_reply(peer_message(party, *message)));
}

Json Coordinator::peer_message(const std::string& party, const Json& message) {
  std::string type = text_member(message, "type");
  if (type == "start") return starter_.peer_starts(party, message);
  if (type == "join") return starter_.peer_joins(party, message);
  if (type == "restarted") return peer_restarted(party, message);
  if (type != "cancel") {
    Json answer = tables::control(party, message);
    if (type == "reject" || type == "withdraw") review_early_waiters();
    if (type == "ready") answer["protocol"] = kProtocolVersion;
    return answer;
  }
  Attempt* attempt = registry_.find(text_member(message, "attempt"));
  if (attempt == nullptr || !attempt->in_force()) return Json::object();
  if (!attempt->has_member(party))
    throw Error(ErrorCode::protocol_violation, "party " + party + " does not take part in the attempt");
  registry_.peer_stopped(*attempt, party, text_member_or(message, "reason", "failed"),
                         text_member_or(message, "left", ""));
  return Json::object();
}

Json Coordinator::peer_restarted(const std::string& party, const Json& message) {
  auto named = message.find("lost");
  if (named == message.end() || !named->is_array())
    throw Error(ErrorCode::protocol_violation, "message restarted of party " + party + " has no list of lost attempts");
  std::set<std::string> lost;
  for (const Json& attempt : *named)
    if (attempt.is_string()) lost.insert(attempt.get<std::string>());
  registry_.peer_restarted(party, text_member(message, "life"), lost);
  outcomes_.wake();
  return Json::object();
}

}  // namespace pgmpc
