// Implements asking recipients what became of an attempt.
#include "worker/outcomes.h"

#include "pg/workers.h"
#include "worker/peer_answer.h"
#include "worker/tables.h"

namespace pgmpc {
namespace {

constexpr std::chrono::milliseconds kTimeout{15000};
constexpr std::chrono::milliseconds kFirstPause{50}, kLastPause{15000};

}  // namespace

void Outcomes::wake() {
  for (auto& [party, lane] : lanes_) {
    lane.backoff.reset(loop_);
    lane.asked.clear();
  }
  ask();
}

void Outcomes::ask() {
  std::set<std::string> left;  // peers whose next question has been asked in this turn already
  try {
    for (const tables::OutboxEntry& question : tables::awaited_results()) {
      Lane& lane = lanes_[question.party];
      if (lane.busy || lane.backoff.is_pausing()) continue;
      if (!lane.asked.insert(question.id).second) {
        left.insert(question.party);
        continue;
      }
      lane.busy = true;
      peers_.control(question.party, question.message, kTimeout,
                     [this, party = question.party, attempt = question.id](const Json& reply) {
                       answered(party, attempt, reply);
                     });
    }
    reading_.succeeded();
  } catch (...) {
    pg::log_warning("could not read which results this node awaits: " + pg::current_error().message);
    // It is not known whom to ask, so no answer of a peer would lead back here.
    reading_.pause(loop_, kFirstPause, kLastPause, [this] { ask(); });
  }
  for (const std::string& party : left)
    if (const Lane& lane = lanes_[party]; !lane.busy && !lane.backoff.is_pausing()) end_turn(party);
}

void Outcomes::answered(const std::string& party, const std::string& attempt, const Json& reply) {
  lanes_[party].busy = false;
  try {
    if (PeerClient::unreachable(reply)) return end_turn(party);
    const std::string outcome = read_answer(party, reply, [&](const Json& answer) {
      return tables::outcome_received(attempt, party, answer, hooks_.own_result(attempt));
    });
    if (!outcome.empty()) hooks_.decided(attempt, outcome == "released");
  } catch (...) {
    pg::log_warning("party " + party + " could not say what became of attempt " + attempt + ": " +
                    pg::current_error().message);
  }
  ask();
}

void Outcomes::end_turn(const std::string& party) {
  Lane& lane = lanes_[party];
  lane.asked.clear();
  lane.backoff.pause(loop_, kFirstPause, kLastPause, [this] { ask(); });
}

}  // namespace pgmpc
