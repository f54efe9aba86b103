// Asks recipients what became of attempts whose result this node may have missed, or must learn of
// (extension/54_awaited_results.sql).
//
// Terms
// A turn is the questions to one peer, one after the other.
//
// Invariants
// The questions are in the tables and read again each time. A question that a turn has not settled is asked again in
// the next turn, at first after 50 ms, later at least every 15 s.
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
    std::function<Json(const std::string& attempt)> own_result;  // returns null when there is none
    std::function<void(const std::string& attempt, bool released)> decided;
  };

  Outcomes(EventLoop& loop, PeerClient& peers, Hooks hooks) : loop_(loop), peers_(peers), hooks_(std::move(hooks)) {}

  // Asks now: there may be a new question, or a peer may know more. Does not throw.
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
  Backoff reading_;                    // for reading the tables
};

}  // namespace pgmpc
