// Implements the registry of attempts (attempts.h): launching, ending, waiting.
#include "worker/attempts.h"

#include <algorithm>

#include "pg/guc.h"
#include "study/spec.h"
#include "study/step_facts.h"
#include "worker/tables.h"

namespace pgmpc {
namespace {

// Time that an engine has to end by itself, with its more exact error, after a peer's part of the attempt has failed.
constexpr std::chrono::milliseconds kGrace{3000};
constexpr std::size_t kRemembered = 32;  // ended attempts; each takes about 40 kB with its rows

std::string step_name(const Json& row) { return text_member(row, "name"); }

const char* name_of(Attempt::State state) {
  switch (state) {
    case Attempt::State::forming:
    case Attempt::State::running:
      return "running";
    case Attempt::State::released:
      return "released";
    case Attempt::State::rehearsed:
      return "rehearsed";
    case Attempt::State::failed:
      return "failed";
    case Attempt::State::cancelled:
      break;
  }
  return "cancelled";
}

}  // namespace

Error runs_otherwise(const std::string& study, RunKind running) {
  if (running.manual)
    return Error(ErrorCode::wrong_state, "study \"" + study + "\" is being run step by step",
                 "Its parties call the steps one by one.", "Call its next step, or end it with mpc.cancel_study.");
  if (running.rehearsal)
    return Error(ErrorCode::wrong_state, "study \"" + study + "\" is being rehearsed",
                 "A rehearsal ends with the match.",
                 "Start the study when it has ended, or end it with mpc.cancel_study.");
  return Error(ErrorCode::wrong_state, "study \"" + study + "\" is already running",
               "It was started with mpc.run_study, mpc.run or mpc.start_study.",
               "Wait for it with mpc.wait_for_study, or end it with mpc.cancel_study.");
}

Error is_opened(const Attempt& attempt, std::string detail, std::string hint) {
  return Error(ErrorCode::wrong_state,
               std::string(attempt.kind.rehearsal ? "the match" : "the result") + " of study \"" + attempt.study +
                   "\" is opened",
               std::move(detail), std::move(hint));
}

void require_same_data(const std::string& study, const Json& one, const Json& other) {
  if (text_member_or(one, "data", "") == text_member_or(other, "data", "")) return;
  throw Error(ErrorCode::wrong_state, "the data of study \"" + study + "\" changed while it was being started",
              "A controller approved it again with other data.", "Start it again.");
}

std::set<std::string> Attempt::members() const {
  std::set<std::string> parties;
  if (job.is_object())
    for (const Json& peer : job.at("peers")) parties.insert(text_member(peer, "party"));
  else
    parties = joined;
  return parties;
}

std::vector<std::pair<int, std::string>> Attempt::steps() const {
  return steps_of(text_member(job, "role") == "third_party", analysis_step);
}

std::string Attempt::next_step() const {
  if (!job.is_object()) return "prepare";
  for (const auto& [number, name] : steps())
    if (rows_of(name).empty()) return name;
  return "";
}

std::vector<Json> Attempt::rows_of(const std::string& step) const {
  std::vector<Json> found;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(found),
               [&](const Json& row) { return step_name(row) == step; });
  return found;
}

Attempt* AttemptRegistry::find(const std::string& id) {
  auto found = attempts_.find(id);
  return found == attempts_.end() ? nullptr : found->second.get();
}

Attempt* AttemptRegistry::latest(const std::string& study) {
  auto found = latest_.find(study);
  return found == latest_.end() ? nullptr : find(found->second);
}

Attempt* AttemptRegistry::in_force(const std::string& study) {
  Attempt* attempt = latest(study);
  if (attempt != nullptr && attempt->stopping) finish(*attempt, Attempt::State::failed, attempt->stopping);
  return attempt != nullptr && attempt->in_force() ? attempt : nullptr;
}

std::size_t AttemptRegistry::running() const {
  return std::count_if(attempts_.begin(), attempts_.end(),
                       [](const auto& entry) { return entry.second->engine != nullptr; });
}

// Makes the attempt the study's latest and forgets the previous one, unless its engine is still exiting. Throws while
// the previous one holds an opened result.
void AttemptRegistry::replace_latest(const std::string& study, const std::string& id) {
  if (Attempt* before = latest(study); before != nullptr && before->id != id) {
    if (before->in_force())
      finish(*before, Attempt::State::failed,
             pg::ErrorFields{"MP002", "the attempt was replaced by a newer one", "", "Wait for the newer attempt."});
    if (before->in_force())  // opened: a newer attempt would take over the study's row
      throw is_opened(*before, "This node has not recorded the end of its attempt yet.",
                      "Wait for it with mpc.wait_for_study.");
    if (before->engine == nullptr) attempts_.erase(before->id);
  }
  latest_[study] = id;
}

// Bounds the memory of a coordinator that runs for years. Runs before an attempt is made, while no reference to an
// attempt is held.
void AttemptRegistry::forget_oldest() {
  for (std::size_t looked = ended_.size(); looked > kRemembered; --looked) {
    const std::string id = std::move(ended_.front());
    ended_.pop_front();
    const Attempt* attempt = find(id);
    if (attempt == nullptr) continue;
    if (attempt->engine != nullptr) {
      ended_.push_back(id);  // its engine is still exiting
      continue;
    }
    if (auto last = latest_.find(attempt->study); last != latest_.end() && last->second == id) latest_.erase(last);
    attempts_.erase(id);
  }
}

Attempt& AttemptRegistry::form(const std::string& study, const std::string& id) {
  forget_oldest();
  replace_latest(study, id);
  auto& attempt = attempts_[id];
  attempt = std::make_unique<Attempt>();
  attempt->study = study;
  attempt->id = id;
  attempt->kind.manual = true;
  return *attempt;
}

Attempt& AttemptRegistry::launch(const std::string& study, const std::string& id, RunKind kind, Json job,
                                 const Json& relied_on, const std::string& started_by) {
  if (Attempt* known = find(id); known != nullptr && known->state != Attempt::State::forming) {
    if (known->kind != kind) throw runs_otherwise(study, known->kind);
    return *known;
  }
  if (running() >= static_cast<std::size_t>(guc::max_studies()))
    throw Error(ErrorCode::limit_exceeded, "too many studies run on this node",
                "pg_mpc.max_studies is " + std::to_string(guc::max_studies()),
                "Wait for a study to end, or raise pg_mpc.max_studies and restart the server.");
  Attempt& attempt = find(id) != nullptr ? *find(id) : form(study, id);
  attempt.kind = kind;
  attempt.started_by = started_by;
  attempt.job = std::move(job);
  attempt.analysis_step = analysis_step(read_spec(text_member(attempt.job, "spec")));
  attempt.job["attempt"] = id;
  attempt.job["manual"] = kind.manual;
  attempt.job["rehearsal"] = kind.rehearsal;
  attempt.started_at = std::time(nullptr);
  attempt.permits.insert("prepare");
  try {
    tables::attempt_started(study, id, kind.manual, kind.rehearsal, relied_on);
    // Other studies of this source may have started or ended since the job was made. From now on they see this one.
    const Json now = tables::start_job(study);
    // The SQL of version 0.1.0, which a node may have until ALTER EXTENSION pg_mpc UPDATE, counts no numbers and has no
    // commitments.
    if (Json& source = attempt.job.at("source"); source.is_object())
      for (const char* key : {"numbers_before", "numbers"}) source[key] = now.at("source").value(key, std::int64_t{0});
    // From now on no approval changes: what the nodes agreed on is what this attempt uses.
    require_same_data(study, now, attempt.job);
    attempt.engine = pg::start_engine(id, study);
    if (attempt.engine == nullptr)
      throw Error(ErrorCode::limit_exceeded,
                  "no background worker slot is free for the engine at this node, party " + std::string(guc::party()),
                  "A running study needs one, beside the two of the node, that of PostgreSQL's logical replication "
                  "launcher and those of other extensions.",
                  "Raise max_worker_processes and restart the server.");
  } catch (...) {
    finish(attempt, Attempt::State::failed, pg::current_error());
    throw;
  }
  attempt.state = Attempt::State::running;
  if (kind.rehearsal) return attempt;  // early waiters wait for the study itself
  for (ConnectionId waiter : std::exchange(early_waiters_[study], {})) wait_for_end(attempt, waiter);
  early_waiters_.erase(study);
  return attempt;
}

void AttemptRegistry::finish(Attempt& attempt, Attempt::State state, std::optional<pg::ErrorFields> error) {
  if (!attempt.in_force() ||
      (attempt.opened && (state == Attempt::State::failed || state == Attempt::State::cancelled)))
    return;
  bool recorded = attempt.job.is_object();  // a forming attempt is not in the tables
  attempt.state = state;
  ended_.push_back(attempt.id);
  attempt.error = std::move(error);
  if (attempt.error && recorded) {
    const bool cancelled = state == Attempt::State::cancelled;
    record(attempt.id, {"the end of study " + attempt.study,
                        [study = attempt.study, id = attempt.id, ended = *attempt.error, cancelled,
                         by = attempt.started_by, of = attempt.ended_by] {
                          tables::attempt_failed(study, id, ended, cancelled);
                          if (!by.empty() || !of.empty()) tables::charge_early_attempt(id, by, of);
                        },
                        [this] { hooks_.ask_outcomes(); }, nullptr});
  }
  if (attempt.error) {
    const std::string& detail = attempt.error->detail;
    pg::log_line("study " + attempt.study + " " + name_of(state) + ": " + attempt.error->message +
                 (detail.empty() ? "" : " (" + detail + ")"));
  }
  if (attempt.error) hooks_.stop_peers(attempt, state == Attempt::State::cancelled ? "cancelled" : "failed");
  if (attempt.engine != nullptr && attempt.error) {
    // The engine's abort then names the party that left first, as the messages to the peers' coordinators do.
    if (attempt.connection && !attempt.left.empty()) hooks_.send(*attempt.connection, {{"left", attempt.left}});
    pg::terminate_engine(attempt.engine);
  }
  for (const Attempt::Waiter& waiter : std::exchange(attempt.waiters, {})) {
    if (!attempt.error && !waiter.step.empty())
      hooks_.send(waiter.connection, ok_reply(attempt.rows_of(waiter.step)));
    else
      answer_end(attempt, waiter.connection);
  }
}

void AttemptRegistry::answer_end(const Attempt& attempt, ConnectionId waiter) {
  if (attempt.error) return void(hooks_.send(waiter, error_reply(*attempt.error)));
  Json end{{"state", name_of(attempt.state)}};
  if (attempt.matched) end["matched"] = *attempt.matched;
  hooks_.send(waiter, ok_reply(end));
}

void AttemptRegistry::peer_stopped(Attempt& attempt, const std::string& sender, const std::string& reason,
                                   const std::string& left) {
  bool cancelled = reason == "cancelled";
  const std::string& party = attempt.has_member(left) ? left : sender;
  if (attempt.left.empty()) attempt.left = party;
  if (attempt.ended_by.empty() && party == sender) attempt.ended_by = sender;
  pg::ErrorFields error{"MP002", "party " + party + (cancelled ? " cancelled the study" : " stopped the attempt"),
                        "Only the node of that party has the reason.",
                        "Ask its administrator to look at mpc.studies there."};
  if (cancelled) return finish(attempt, Attempt::State::cancelled, error);
  if (attempt.stopping) return;
  attempt.stopping = error;
  loop_.after(kGrace, [this, id = attempt.id] {
    if (Attempt* found = find(id)) finish(*found, Attempt::State::failed, found->stopping);
  });
}

void AttemptRegistry::peer_restarted(const std::string& party, const std::string& incarnation,
                                     const std::set<std::string>& lost) {
  for (const auto& [id, attempt] : attempts_) {
    if (!attempt->in_force() || !attempt->has_member(party)) continue;
    auto entered = attempt->incarnations.find(party);
    if (lost.contains(id) || (entered != attempt->incarnations.end() && entered->second != incarnation))
      peer_stopped(*attempt, party, "failed", "");
  }
}

void AttemptRegistry::wait_for_end(Attempt& attempt, ConnectionId waiter) {
  for (const Json& row : attempt.rows) hooks_.send(waiter, {{"event", "step"}, {"row", row}});
  if (attempt.in_force())
    attempt.waiters.push_back({waiter, ""});
  else
    answer_end(attempt, waiter);
}

void AttemptRegistry::wait_for_study(const std::string& study, ConnectionId waiter) {
  early_waiters_[study].push_back(waiter);
}

std::map<std::string, std::vector<ConnectionId>> AttemptRegistry::take_early_waiters() {
  return std::exchange(early_waiters_, {});
}

void AttemptRegistry::wait_for_step(Attempt& attempt, const std::string& step, ConnectionId waiter) {
  attempt.waiters.push_back({waiter, step});
}

void AttemptRegistry::permit(Attempt& attempt, std::string step) {
  attempt.permits.insert(step);
  if (attempt.held_at != step || !attempt.connection) return;
  attempt.held_at.clear();
  hooks_.send(*attempt.connection, {{"permit", step}});
}

Json AttemptRegistry::progress() {
  Json rows = Json::array();
  for (const auto& [id, attempt] : attempts_) {
    if (attempt->state != Attempt::State::running) continue;
    Json row = attempt->progress;
    if (attempt->engine != nullptr) pg::engine_status(attempt->engine, &attempt->pid);
    row["pid"] = attempt->pid;
    row["study"] = attempt->study;
    row["attempt"] = id;
    row["started_at"] = attempt->started_at;
    row["awaited"] = attempt->awaited.empty() ? Json() : Json(attempt->awaited);
    row["step"] = attempt->rows.empty() ? Json(0) : attempt->rows.back().value("step", Json());
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace pgmpc
