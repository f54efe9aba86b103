// What: asks recipients what became of attempts whose result this node may have missed, or has to hear of
//       (extension/54_awaited_results.sql).
// Terms: turn = the questions to one peer, one after the other.
// Invariants: what has to be asked is in the tables and read again each time. What a turn has not settled is asked in
//             the next one, after 50 ms at first, at least every 15 s.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>

#include "ipc/event_loop.h"
#include "worker/backoff.h"
#include "worker/peer_client.h"

namespace pgmpc {

class Outcomes {
 public:
  struct Hooks {
    std::function<Json(const std::string& attempt)> own_result;  // null: none
    std::function<void(const std::string& attempt, bool released)> decided;
  };

  Outcomes(EventLoop& loop, PeerClient& peers, Hooks hooks) : loop_(loop), peers_(peers), hooks_(std::move(hooks)) {}

  // Something may have to be asked, or a peer may know more by now. Does not throw.
  void wake();

 private:
  struct Lane {  // one per peer
    bool busy = false;
    Backoff backoff;
    std::set<std::string> asked;  // attempts of this turn
  };
  void ask();
  void answered(const std::string& party, const std::string& attempt, const Json& reply);
  void end_turn(const std::string& party);

  EventLoop& loop_;
  PeerClient& peers_;
  Hooks hooks_;
  std::map<std::string, Lane> lanes_;  // by peer
  Backoff reading_;                    // of the tables
};

}  // namespace pgmpc
