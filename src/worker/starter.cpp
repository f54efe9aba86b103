// Implements starting and joining of attempts.
#include "worker/starter.h"

#include "base/rng.h"
#include "pg/guc.h"
#include "protocol/protocol.h"
#include "worker/peer_answer.h"
#include "worker/tables.h"

namespace pgmpc {
namespace {

using std::chrono::milliseconds;
using Clock = EventLoop::Clock;

constexpr milliseconds kReadyPatience{8000};  // for peers that have not approved yet
constexpr milliseconds kReadyPause{150};      // between two rounds of questions
constexpr milliseconds kCallTimeout{15000};

std::string random_id() {
  std::uint8_t id[16];
  system_rng().fill(id);
  return to_hex(id);
}

Json started(const std::string& attempt) { return {{"attempt", attempt}}; }

// Returns the id, which is part of a file name: exactly 32 lower-case hexadecimal digits.
std::string attempt_of(const Json& message) {
  std::string id = text_member(message, "attempt");
  Bytes bytes = from_hex(id);
  if (bytes.size() != 16 || to_hex(bytes) != id)
    throw Error(ErrorCode::protocol_violation, "attempt id is not 32 hexadecimal digits");
  return id;
}

// A message without a version comes from a node with protocol version 1. Checked first, because the other members may
// have another meaning in another version.
void require_same_protocol(const std::string& party, const Json& message) {
  const auto named = message.find("protocol");
  const std::string theirs = named == message.end() ? "1" : named->is_number_integer() ? named->dump() : "unknown";
  if (theirs == std::to_string(kProtocolVersion)) return;
  throw Error(ErrorCode::wrong_state,
              "party " + party + " uses protocol version " + theirs + ", this node uses version " +
                  std::to_string(kProtocolVersion),
              "All nodes of a study must use the same version.",
              "Install the same version of pg_mpc on all nodes; docs/operations.md has the order.");
}

std::string own_name() { return std::string("party ") + guc::party(); }

// Runs what a peer asked for. The reason why this node cannot do it may name its sources, roles, other studies and
// their parties, so it goes only to this node's log. The peer receives one of two fixed texts: a limit, or anything
// else.
template <typename F>
auto hide_reason(const std::string& study, F&& body) -> decltype(body()) {
  try {
    return body();
  } catch (...) {
    pg::ErrorFields error = pg::current_error();
    pg::log_line("study " + study + " cannot start here: " + error.message +
                 (error.detail.empty() ? "" : " (" + error.detail + ")"));
    if (error.sqlstate.starts_with("53") || error.sqlstate.starts_with("54"))
      throw pg::ErrorFieldsException(
          {error.sqlstate, own_name() + " has reached a limit and cannot start study \"" + study + "\" now",
           "Only the node of that party shows which limit.",
           "Try again later, or ask that party to start the study: the error on its node names the limit."});
    throw Error(ErrorCode::wrong_state, own_name() + " cannot start study \"" + study + "\"",
                "Only the node of that party has the reason.",
                "Ask that party to start the study: the error on its node names the reason.");
  }
}

}  // namespace

Starter::Starter(EventLoop& loop, AttemptRegistry& book, PeerClient& peers)
    : loop_(loop), registry_(book), peers_(peers), incarnation_(random_id()) {}

struct Starter::Operation {
  std::string study, digest, data;
  RunKind kind;
  bool given_up = false;
  Json job;
  Clock::time_point deadline;
  std::map<std::string, bool> ready;  // the peers that must be ready first
  std::size_t unanswered = 0;
  std::string not_ready;  // a peer that is not ready, and why
  pg::ErrorFields reason;
  std::vector<Done> callers;

  void take(Json given) {
    job = std::move(given);
    digest = text_member(job, "digest");
    data = text_member_or(job, "data", "");  // the SQL of the previous version has none
  }
  bool third_party() const { return text_member(job, "role") == "third_party"; }
  std::string third_party_name() const {
    for (const Json& peer : job.at("peers"))
      if (peer.at("index") == 2) return text_member(peer, "party");
    throw Error(ErrorCode::internal, "job names no third party");
  }
};

void Starter::start(const std::string& study, bool rehearsal, Done done) {
  const RunKind kind{false, rehearsal};
  if (Attempt* attempt = registry_.in_force(study)) {
    if (attempt->kind != kind) throw runs_otherwise(study, attempt->kind);
    return done(ok_reply(started(attempt->id)));
  }
  begin(study, kind, std::move(done));
}

void Starter::prepare(const std::string& study, Done done) {
  Attempt* attempt = registry_.in_force(study);
  if (attempt != nullptr && attempt->state == Attempt::State::running) {
    if (!attempt->kind.manual) throw runs_otherwise(study, attempt->kind);
    return done(ok_reply(started(attempt->id)));
  }
  begin(study, {true, false}, std::move(done));
}

void Starter::begin(const std::string& study, RunKind kind, Done done) {
  if (auto known = operations_.find(study); known != operations_.end()) {
    if (known->second->kind != kind) throw runs_otherwise(study, known->second->kind);
    known->second->callers.push_back(std::move(done));
    return;
  }
  auto operation = std::make_shared<Operation>();
  operation->study = study;
  operation->kind = kind;
  operation->take(tables::start_job(study));
  operation->deadline = Clock::now() + kReadyPatience;
  // In step-by-step mode, a controller needs the third party, which assigns the attempt id; the third party needs no
  // peer.
  for (const Json& peer : operation->job.at("peers"))
    if (!kind.manual || (!operation->third_party() && peer.at("index") == 2))
      operation->ready[text_member(peer, "party")] = false;
  operation->callers.push_back(std::move(done));
  operations_[study] = operation;
  guarded(operation, [&] { ask_ready(operation); });
}

// Runs a continuation. An exception ends the operation with that error.
void Starter::guarded(OperationPtr operation, const std::function<void()>& body) {
  if (operation->given_up) return;
  try {
    body();
  } catch (...) {
    end(operation, error_reply(pg::current_error()));
  }
}

void Starter::end(OperationPtr operation, const Json& reply) {
  if (operation->given_up) return;
  operation->given_up = true;
  operations_.erase(operation->study);
  for (const Done& done : operation->callers) done(reply);
}

bool Starter::give_up(const std::string& study) {
  auto found = operations_.find(study);
  if (found == operations_.end()) return false;
  end(found->second, error_reply({"57014", "study \"" + study + "\" was cancelled on this node", "", ""}));
  return true;
}

void Starter::ask_ready(OperationPtr operation) {
  Json question{{"type", "ready"},
                {"study", operation->study},
                {"digest", operation->digest},
                {"data", operation->data},
                {"rehearsal", operation->kind.rehearsal},
                {"protocol", kProtocolVersion}};
  std::vector<std::string> asked;
  for (const auto& [party, ready] : operation->ready)
    if (!ready) asked.push_back(party);
  operation->not_ready.clear();
  operation->unanswered = asked.size();
  if (asked.empty()) return round_over(operation);
  for (const std::string& party : asked) {
    peers_.control(party, question, kCallTimeout, [this, operation, party](const Json& reply) {
      guarded(operation, [&] {
        try {
          read_answer(party, reply, [&](const Json& answer) {
            require_same_protocol(party, answer);
            take_answer(operation, party, flag_member(answer, "ready"),
                        {"55000", "party " + party + " is not ready for study \"" + operation->study + "\"",
                         quoted(party, text_member_or(answer, "reason", "")),
                         "Ask its administrator to look at mpc.studies there."});
          });
        } catch (...) {
          take_answer(operation, party, false, pg::current_error());
        }
      });
    });
  }
}

void Starter::take_answer(OperationPtr operation, const std::string& party, bool ready, const pg::ErrorFields& reason) {
  operation->ready[party] = ready;
  if (!ready) {
    operation->not_ready = party;
    operation->reason = reason;
  }
  if (--operation->unanswered == 0) round_over(operation);
}

void Starter::round_over(OperationPtr operation) {
  if (operation->not_ready.empty()) return arbitrate(operation);
  if (Clock::now() >= operation->deadline) return end(operation, error_reply(operation->reason));
  loop_.after(kReadyPause, [this, operation] {
    guarded(operation, [&] {
      // Messages to this node may have arrived meanwhile: approvals, and what they commit to.
      if (registry_.in_force(operation->study) == nullptr) operation->take(tables::start_job(operation->study));
      ask_ready(operation);
    });
  });
}

void Starter::arbitrate(OperationPtr operation) {
  Attempt* known = registry_.in_force(operation->study);  // a peer may have started it meanwhile
  if (known != nullptr && known->state == Attempt::State::running) {
    if (known->kind != operation->kind) throw runs_otherwise(operation->study, known->kind);
    return end(operation, ok_reply(started(known->id)));
  }
  if (operation->third_party()) return launch(operation, known != nullptr ? known->id : random_id());
  Json request{{"type", operation->kind.manual ? "join" : "start"},
               {"protocol", kProtocolVersion},
               {"study", operation->study},
               {"digest", operation->digest},
               {"data", operation->data},
               {"attempt", random_id()},
               {"life", incarnation_},
               {"manual", operation->kind.manual},
               {"rehearsal", operation->kind.rehearsal}};
  if (Attempt* before = registry_.latest(operation->study)) request["ended"] = before->id;
  peers_.control(operation->third_party_name(), request, kCallTimeout, [this, operation](const Json& reply) {
    guarded(operation, [&] {
      const std::string party = operation->third_party_name();
      const auto [attempt, incarnation] = read_answer(party, reply, [](const Json& answer) {
        return std::make_pair(attempt_of(answer), text_member(answer, "life"));
      });
      launch(operation, attempt);
      note_peer(attempt, party, incarnation);
    });
  });
}

void Starter::launch(OperationPtr operation, const std::string& attempt) {
  try {
    Json relied_on = Json::object();
    for (const auto& [party, ready] : operation->ready) relied_on[party] = "ready";
    registry_.launch(operation->study, attempt, operation->kind, operation->job, relied_on);
  } catch (...) {
    withdraw(*operation, attempt);
    throw;
  }
  Attempt& launched = *registry_.find(attempt);
  launched.joined.insert(text_member(operation->job, "party"));
  if (operation->kind.manual) return end(operation, ok_reply(started(attempt)));
  start_controllers(operation, attempt);
}

// Cancels the attempt at the peers: the third party's engine may run already, and must not wait for this one.
void Starter::withdraw(const Operation& operation, const std::string& attempt) {
  Json message{{"type", "cancel"}, {"study", operation.study}, {"attempt", attempt}, {"reason", "failed"}};
  for (const Json& peer : operation.job.at("peers"))
    peers_.control(text_member(peer, "party"), message, kCallTimeout, [](const Json&) {});
}

// Starts the engines of the parties that do not have the attempt yet: all except this node and the third party.
void Starter::start_controllers(OperationPtr operation, const std::string& attempt) {
  Json order{{"type", "start"},
             {"protocol", kProtocolVersion},
             {"study", operation->study},
             {"digest", operation->digest},
             {"data", operation->data},
             {"attempt", attempt},
             {"life", incarnation_},
             {"manual", false},
             {"rehearsal", operation->kind.rehearsal}};
  operation->unanswered = 0;
  std::vector<std::string> controllers;
  for (const Json& peer : operation->job.at("peers"))
    if (peer.at("index") != 2) controllers.push_back(text_member(peer, "party"));
  operation->unanswered = controllers.size();
  for (const std::string& party : controllers) {
    peers_.control(party, order, kCallTimeout, [this, operation, party, attempt](const Json& reply) {
      guarded(operation, [&] {
        try {
          note_peer(attempt, party,
                    read_answer(party, reply, [](const Json& answer) { return text_member(answer, "life"); }));
        } catch (...) {
          pg::ErrorFields error = pg::current_error();
          if (Attempt* own = registry_.find(attempt)) registry_.finish(*own, Attempt::State::failed, error);
          return end(operation, error_reply(error));
        }
        if (--operation->unanswered == 0) end(operation, ok_reply(started(attempt)));
      });
    });
  }
}

// Returns the job of this node for a study that a peer wants to run. A peer that is no party of the study, or asks for
// other terms, gets the answer to the question "ready". Every other reason is hidden.
Json Starter::agreed_job(const std::string& party, const Json& message) {
  std::string study = text_member(message, "study");
  require_same_protocol(party, message);
  Json answer = tables::control(party, {{"type", "ready"},
                                        {"study", study},
                                        {"digest", text_member(message, "digest")},
                                        {"data", text_member_or(message, "data", "")}});
  if (!answer.value("ready", false))
    throw Error(ErrorCode::wrong_state, own_name() + " is not ready for study \"" + study + "\"",
                answer.value("reason", ""), "Compare mpc.studies on the nodes of all parties.");
  return hide_reason(study, [&] {
    Json job = tables::start_job(study);
    require_same_data(study, job, message);
    return job;
  });
}

// Answers a peer that has entered the attempt.
Json Starter::entered(Attempt& attempt, const std::string& party, const std::string& incarnation) {
  attempt.joined.insert(party);
  attempt.incarnations[party] = incarnation;
  Json answer = started(attempt.id);
  answer["life"] = incarnation_;
  return answer;
}

void Starter::note_peer(const std::string& attempt, const std::string& party, const std::string& incarnation) {
  if (Attempt* known = registry_.find(attempt)) known->incarnations[party] = incarnation;
}

// True when the party received the attempt in force here but cannot be in it any more. That this node only sent it the
// attempt does not count: the party's own request may have been under way then.
bool Starter::lost(const Attempt& known, const std::string& party, const Json& message) {
  return known.joined.contains(party) || text_member_or(message, "ended", "") == known.id;
}

Json Starter::peer_starts(const std::string& party, const Json& message) {
  std::string study = text_member(message, "study"), id = attempt_of(message),
              incarnation = text_member(message, "life");
  Json job = agreed_job(party, message);
  Attempt* known = registry_.in_force(study);
  const RunKind kind{false, flag_member_or(message, "rehearsal", false)};
  if (known != nullptr && known->kind != kind) throw runs_otherwise(study, known->kind);
  bool arbiter = text_member(job, "role") == "third_party";
  if (arbiter && known != nullptr && known->id != id && !lost(*known, party, message)) {
    return entered(*known, party, incarnation);
  }
  Attempt& launched = hide_reason(study, [&]() -> Attempt& {
    return registry_.launch(study, id, kind, std::move(job), {{party, "start"}}, party);
  });
  return entered(launched, party, incarnation);
}

Json Starter::peer_joins(const std::string& party, const Json& message) {
  std::string study = text_member(message, "study"), id = attempt_of(message),
              incarnation = text_member(message, "life");
  Json job = agreed_job(party, message);
  if (text_member(job, "role") != "third_party")
    throw Error(ErrorCode::wrong_state, "only the third party assigns attempt ids");
  Attempt* known = registry_.in_force(study);
  if (known != nullptr && !known->kind.manual) throw runs_otherwise(study, known->kind);
  if (known == nullptr || (known->id != id && lost(*known, party, message))) known = &registry_.form(study, id);
  return entered(*known, party, incarnation);
}

}  // namespace pgmpc
