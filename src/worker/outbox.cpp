// Implements the outbox.
#include "worker/outbox.h"

#include <optional>

#include "pg/workers.h"
#include "worker/tables.h"

namespace pgmpc {
namespace {

constexpr std::chrono::milliseconds kTimeout{15000};
constexpr std::chrono::milliseconds kFirstRetry{200}, kLastRetry{15000};
constexpr std::int64_t kMostVersions = 999999999;

// Returns the version of a study that the peer holds, when it answered that it misses some before the proposed one.
std::optional<std::int64_t> held_version(const Json& reply) {
  const auto held = reply["ok"].find("held");
  if (held == reply["ok"].end()) return std::nullopt;
  if (!held->is_number_unsigned() || *held > kMostVersions) return 0;
  return held->get<std::int64_t>();
}

}  // namespace

void Outbox::wake() {
  for (auto& [party, lane] : lanes_) lane.backoff.reset(loop_);
  deliver();
}

void Outbox::deliver() {
  for (tables::OutboxEntry& entry : tables::outbox_pending()) {
    Lane& lane = lanes_[entry.party];
    if (lane.busy || lane.backoff.is_pausing()) continue;  // a peer gets one message at a time
    lane.busy = true;
    peers_.control(entry.party, entry.message, kTimeout,
                   [this, party = entry.party, id = entry.id](const Json& reply) { answered(party, id, reply); });
  }
}

void Outbox::answered(const std::string& party, const std::string& id, const Json& reply) {
  Lane& lane = lanes_[party];
  lane.busy = false;
  try {
    if (PeerClient::unreachable(reply)) return retry_later(party);
    if (reply.contains("error")) {
      // The table keeps a message whose refusal is temporary: it is sent again after a pause.
      const bool passing = reply.contains("passing");
      tables::outbox_refused(id, error_from_json(reply["error"]), passing);
      if (passing) return retry_later(party);
    } else if (const auto held = held_version(reply)) {
      tables::outbox_gap(id, *held);
    } else {
      tables::outbox_delivered(id);
    }
    lane.backoff.succeeded();
    deliver();
  } catch (...) {
    pg::log_warning("could not update the outbox: " + pg::current_error().message);
    retry_later(party);
  }
}

void Outbox::retry_later(const std::string& party) {
  lanes_[party].backoff.pause(loop_, kFirstRetry, kLastRetry, [this, party] {
    try {
      deliver();
    } catch (...) {
      pg::log_warning("could not read the outbox: " + pg::current_error().message);
      retry_later(party);
    }
  });
}

}  // namespace pgmpc
