// Delivers the messages that SQL functions queued for peers (proposals, approvals and so on).
//
// Invariants
// A message is delivered at least once, per peer and study in the order of its id. Peers do not wait for each other. A
// peer that cannot be reached is tried again with growing pauses. So is one that refuses a message for a temporary
// reason; after a day, messages of other studies go first (outbox_pending). After any other refusal the peer receives
// the next message. A peer that misses versions of a study receives them, in order, before the version that it refused.
#pragma once
#include <map>
#include <set>
#include <string>

#include "ipc/event_loop.h"
#include "worker/backoff.h"
#include "worker/peer_client.h"

namespace pgmpc {

class Outbox {
 public:
  Outbox(EventLoop& loop, PeerClient& peers) : loop_(loop), peers_(peers) {}
  // Delivers now: something was queued, or a peer may be back. ErrorFieldsException when the tables cannot be read.
  void wake();
  void look() { deliver(); }  // the same, but peers that did not answer keep their pauses

 private:
  struct Lane {  // one per peer
    bool busy = false;
    Backoff backoff;
  };

  void deliver();
  void answered(const std::string& party, const std::string& id, const Json& reply);
  void retry_later(const std::string& party);

  EventLoop& loop_;
  PeerClient& peers_;
  std::map<std::string, Lane> lanes_;
};

}  // namespace pgmpc
