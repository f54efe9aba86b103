// What: the outbox (outbox.h).
#include "worker/outbox.h"

#include <algorithm>

#include "pg/workers.h"
#include "worker/tables.h"

namespace pgmpc {
namespace {

constexpr std::chrono::milliseconds kTimeout{15000};
constexpr std::chrono::milliseconds kFirstRetry{200}, kLastRetry{15000};

// Refusals that say nothing about the message: locks, resources, a node that is being set up or shut down. The table
// keeps such a message (outbox_refused), so it is sent again, but not at once.
bool temporary(const std::string& state) {
  return state == "55P03" || state == "55000" || state == "F0000" || state == "XX000" || state.starts_with("40") ||
         state.starts_with("53") || state.starts_with("57") || state.starts_with("58");
}

}  // namespace

void Outbox::wake() {
  for (auto& [party, lane] : lanes_) {
    loop_.cancel(std::exchange(lane.retry, 0));
    lane.failures = 0;
  }
  deliver();
}

void Outbox::deliver() {
  for (tables::OutboxEntry& entry : tables::outbox_pending()) {
    Lane& lane = lanes_[entry.party];
    if (lane.busy || lane.retry != 0) continue;  // the entries of a peer are answered one by one
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
      pg::Fault fault = fault_of_json(reply["error"]);
      tables::outbox_refused(id, fault);
      if (temporary(fault.sqlstate)) return retry_later(party);
    } else {
      tables::outbox_delivered(id);
    }
    lane.failures = 0;
    deliver();
  } catch (...) {
    pg::log_warning("could not update the outbox: " + pg::current_fault().message);
    retry_later(party);
  }
}

void Outbox::retry_later(const std::string& party) {
  Lane& lane = lanes_[party];
  auto pause = std::min(kLastRetry, kFirstRetry * (1 << std::min(lane.failures++, 7)));
  lane.retry = loop_.after(pause, [this, party] {
    lanes_[party].retry = 0;
    try {
      deliver();
    } catch (...) {
      pg::log_warning("could not read the outbox: " + pg::current_fault().message);
      retry_later(party);
    }
  });
}

}  // namespace pgmpc
