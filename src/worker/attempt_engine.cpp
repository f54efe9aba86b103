// Implements the engine's side of the attempts (attempts.h): its connection, its events, its end.
#include "pg/guc.h"
#include "worker/attempts.h"
#include "worker/tables.h"

namespace pgmpc {
namespace {

// How long the last events of an engine that has exited may still be in its socket.
constexpr std::chrono::milliseconds kLastWords{200};

}  // namespace

void AttemptRegistry::engine_connected(ConnectionId connection, const std::string& id) {
  Attempt* attempt = find(id);
  if (attempt == nullptr || attempt->state != Attempt::State::running)
    throw Error(ErrorCode::wrong_state, "the attempt is over");
  attempt->connection = connection;
  engines_[connection] = id;
  hooks_.send(connection, ok_reply(attempt->job));
}

void AttemptRegistry::engine_event(ConnectionId connection, const Json& event) {
  Attempt* attempt = find(engines_.at(connection));
  if (attempt == nullptr || attempt->state != Attempt::State::running) return;
  std::string kind = text_member(event, "event");
  if (kind == "progress") {
    attempt->progress = event;
  } else if (kind == "waiting") {
    attempt->awaited = text_member(event, "peer");
    attempt->awaited_cause = text_member(event, "cause");
  } else if (kind == "before_step") {
    attempt->held_at = text_member(event, "name");
    if (attempt->permits.contains(attempt->held_at)) permit(*attempt, attempt->held_at);
  } else if (kind == "step") {
    record_step(*attempt, event.at("row"));
  } else if (kind == "matched") {
    record_match(*attempt, event.at("records").get<std::int64_t>());
  } else if (kind == "before_release") {
    record_promise(*attempt);
  } else if (kind == "result") {
    computed(*attempt, event.at("result"));
  } else if (kind == "rehearsed") {
    rehearsed(*attempt);
  } else if (kind == "failed") {
    if (attempt->left.empty()) attempt->left = text_member_or(event, "left", "");
    finish(*attempt, Attempt::State::failed, error_from_json(event));
  } else {
    throw Error(ErrorCode::protocol_violation, "unknown event of an engine", kind);
  }
}

// Records something that the attempt needs. The attempt ends when the tables refuse it for good.
void AttemptRegistry::record_or_end(const std::string& id, std::string what, std::function<void()> write,
                                    std::function<void()> done) {
  record(id, {std::move(what), std::move(write), std::move(done),
              [this, id](const pg::ErrorFields& error) { end_for(id, error); }});
}

// Ends an attempt successfully: first in the tables, then here.
void AttemptRegistry::record_end(const std::string& id, std::string what, Attempt::State state,
                                 std::function<void()> write) {
  record_or_end(id, std::move(what), std::move(write), [this, id, state] {
    if (Attempt* known = find(id)) finish(*known, state, std::nullopt);
  });
}

void AttemptRegistry::record_step(Attempt& attempt, const Json& row) {
  const std::string study = attempt.study, id = attempt.id, step = text_member(row, "name");
  record_or_end(
      id, "step " + step + " of study " + study, [study, id, row] { tables::attempt_step(study, id, row); },
      [this, id, row] {
        if (Attempt* known = find(id)) step_done(*known, row);
        recorded(id, "step");
      });
}

void AttemptRegistry::record_match(Attempt& attempt, std::int64_t records) {
  const std::string study = attempt.study, id = attempt.id;
  record_or_end(
      id, "the match of study " + study, [study, id, records] { tables::attempt_matched(study, id, records); },
      [this, id, records] {
        if (Attempt* known = find(id)) known->matched = records;
        recorded(id, "matched");
      });
}

void AttemptRegistry::record_promise(Attempt& attempt) {
  const std::string study = attempt.study, id = attempt.id;
  record_or_end(
      id, "that this node can store the result of study " + study, [study, id] { tables::attempt_promised(study, id); },
      [this, id] { recorded(id, "before_release"); });
}

void AttemptRegistry::end_for(const std::string& id, const pg::ErrorFields& error) {
  if (Attempt* attempt = find(id)) {
    attempt->opened = attempt->unconfirmed = false;
    finish(*attempt, Attempt::State::failed, error);
  }
}

void AttemptRegistry::step_done(Attempt& attempt, const Json& row) {
  std::string step = text_member(row, "name");
  attempt.rows.push_back(row);
  bool last = attempt.next_step().empty();  // finish() answers, when the result is stored
  bool seen = false;
  std::vector<Attempt::Waiter> left;
  for (const Attempt::Waiter& waiter : std::exchange(attempt.waiters, {})) {  // send() may close a connection
    if (waiter.step.empty()) {
      hooks_.send(waiter.connection, {{"event", "step"}, {"row", row}});
    } else if (waiter.step == step && !last) {
      // A caller that has timed out has not seen the row: it may call again.
      if (hooks_.send(waiter.connection, ok_reply(attempt.rows_of(step)))) seen = true;
      continue;
    }
    left.push_back(waiter);
  }
  attempt.waiters = std::move(left);
  if (!seen) attempt.unseen.insert(step);
}

void AttemptRegistry::computed(Attempt& attempt, const Json& result) {
  attempt.opened = true;
  if (result.at("received").get<bool>() || !tables::knows_outcomes()) return released(attempt, result);
  attempt.unconfirmed = true;
  attempt.result = result;
  await_recipients(attempt);
}

// For a party that is no recipient: the study is released when a recipient has stored the result.
void AttemptRegistry::await_recipients(Attempt& attempt) {
  const std::string id = attempt.id;
  record_or_end(
      id, "that the engine of study " + attempt.study + " has ended", [id] { tables::attempt_computed(id); },
      [this] { hooks_.ask_outcomes(); });
  loop_.after(std::chrono::milliseconds(guc::step_timeout_ms()), [this, id] {
    if (Attempt* late = find(id); late != nullptr && late->unconfirmed)
      end_for(id, {"MP001", "no recipient has said that it has stored the result",
                   "pg_mpc.step_timeout has passed since this node did its part.", ""});
  });
}

Json AttemptRegistry::result_of(const std::string& id) const {
  const auto found = attempts_.find(id);
  return found == attempts_.end() ? Json() : found->second->result;
}

void AttemptRegistry::outcome_decided(const std::string& id, bool released_there) {
  Attempt* attempt = find(id);
  if (attempt == nullptr || !attempt->unconfirmed || !attempt->in_force()) return;
  attempt->unconfirmed = false;
  if (released_there) return finish(*attempt, Attempt::State::released, std::nullopt);
  end_for(id, {"MP002", "no recipient has the result of the study", "All of them have ended the attempt without it.",
               "The server logs of their nodes have the reason."});
}

void AttemptRegistry::released(Attempt& attempt, const Json& result) {
  const std::string study = attempt.study, id = attempt.id;
  record_end(id, "the result of study " + study, Attempt::State::released,
             [study, id, result] { tables::attempt_released(study, id, result); });
}

// The count of the rehearsal is recorded already. Its end is recorded before peers are informed.
void AttemptRegistry::rehearsed(Attempt& attempt) {
  if (!attempt.kind.rehearsal || !attempt.matched)
    throw Error(ErrorCode::protocol_violation, "an engine reported a rehearsal that it did not run");
  const std::string study = attempt.study, id = attempt.id;
  attempt.opened = true;
  record_end(id, "the end of the rehearsal of study " + study, Attempt::State::rehearsed,
             [study, id] { tables::attempt_rehearsed(study, id); });
}

void AttemptRegistry::connection_closed(ConnectionId connection) {
  for (auto& [study, waiters] : early_waiters_) std::erase(waiters, connection);
  for (auto& [id, attempt] : attempts_)
    std::erase_if(attempt->waiters, [&](const Attempt::Waiter& waiter) { return waiter.connection == connection; });
  auto engine = engines_.find(connection);
  if (engine == engines_.end()) return;
  std::string id = engine->second;
  engines_.erase(engine);
  if (Attempt* attempt = find(id)) attempt->connection.reset();
  check_engines();
}

void AttemptRegistry::check_engines() {
  for (auto& [id, attempt] : attempts_) {
    if (attempt->engine == nullptr || pg::engine_status(attempt->engine, &attempt->pid) != pg::EngineStatus::stopped)
      continue;
    pg::forget_engine(attempt->engine);
    attempt->engine = nullptr;
    loop_.after(kLastWords, [this, gone = id] { engine_gone(gone); });
  }
}

// Called when the engine has exited and everything it sent has been read.
void AttemptRegistry::engine_gone(const std::string& id) {
  Attempt* attempt = find(id);
  if (attempt == nullptr) return;
  if (attempt->state == Attempt::State::running && !attempt->opened)
    finish(*attempt, Attempt::State::failed,
           pg::ErrorFields{"XX000", "the engine of this node ended without a result", "",
                           "The server log has the reason."});
  if (latest_[attempt->study] != id && !attempt->in_force()) attempts_.erase(id);
}

}  // namespace pgmpc
