// Writes the records of attempts into the tables (attempts.h), and repeats a write that the tables refuse for now.
#include "pg/guc.h"
#include "worker/attempts.h"

namespace pgmpc {
namespace {

constexpr std::chrono::milliseconds kPause{500};

using Clock = std::chrono::steady_clock;

// A read-only server counts as temporary, too.
bool may_pass(const std::string& sqlstate) { return pg::is_temporary(sqlstate) || sqlstate == "25006"; }

}  // namespace

void AttemptRegistry::record(const std::string& id, Record record) {
  record.since = Clock::now();
  std::deque<Record>& waiting = records_[id];
  waiting.push_back(std::move(record));
  if (waiting.size() == 1)
    while (write_next(id)) {
    }
}

bool AttemptRegistry::write_next(const std::string& id) {
  auto found = records_.find(id);
  if (found == records_.end()) return false;
  if (found->second.empty()) {
    records_.erase(found);
    return false;
  }
  std::optional<pg::ErrorFields> error;
  try {
    found->second.front().write();
  } catch (...) {
    error = pg::current_error();
  }
  if (error && may_pass(error->sqlstate)) {
    pg::log_warning("could not record " + found->second.front().what + ", trying again: " + error->message);
    give_up_waiting(id, found->second.front(), *error);
    if (!std::exchange(writing_again_, true)) loop_.after(kPause, [this] { write_again(); });
    return false;
  }
  const Record written = std::move(found->second.front());
  found->second.pop_front();
  if (error) {
    pg::log_warning("could not record " + written.what + ": " + error->message);
    if (written.refused) written.refused(*error);
  } else if (written.done) {
    written.done();
  }
  return true;
}

void AttemptRegistry::write_again() {
  writing_again_ = false;
  std::vector<std::string> waiting;
  for (const auto& [id, records] : records_) waiting.push_back(id);
  for (const std::string& id : waiting)
    while (write_next(id)) {
    }
}

// Ends an attempt whose record has waited for step_timeout, as long as a peer would wait for the engine. The end is one
// more record, behind this one.
void AttemptRegistry::give_up_waiting(const std::string& id, const Record& record, const pg::ErrorFields& error) {
  Attempt* attempt = find(id);
  if (attempt == nullptr || !attempt->in_force() || attempt->opened || attempt->kind.manual) return;
  if (Clock::now() - record.since < std::chrono::milliseconds(guc::step_timeout_ms())) return;
  const std::string what = record.what;
  loop_.after(std::chrono::milliseconds(0), [this, id, what, error] {
    if (Attempt* late = find(id))
      finish(*late, Attempt::State::failed,
             pg::ErrorFields{error.sqlstate, "this node could not record " + what, error.message,
                             "Nothing was opened. Remove the cause, then start the study again."});
  });
}

// Lets the engine continue after its event has been recorded.
void AttemptRegistry::recorded(const std::string& id, const std::string& what) {
  if (const Attempt* attempt = find(id); attempt != nullptr && attempt->connection)
    hooks_.send(*attempt->connection, {{"recorded", what}});
}

}  // namespace pgmpc
