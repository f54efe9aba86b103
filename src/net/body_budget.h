// What: how many bytes of request bodies a server may hold for each peer, from the first byte of a body until whoever
//       handles the request has passed it on.
// Terms: hold = the share of one body; it comes back when its last owner drops it.
// Invariants: a peer's holds never sum to more than the limit, except that one body always fits; a connection whose
// body
//             does not fit stops reading (TCP then holds the sender back) until a hold comes back. A peer that floods
//             this node, or an engine that has stopped taking messages, costs other peers nothing. Loop thread only.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ipc/event_loop.h"

namespace pgmpc {

class BodyBudget {
 public:
  using Hold = std::shared_ptr<const void>;

  BodyBudget(EventLoop& loop, std::size_t limit_per_peer) : state_(std::make_shared<State>(loop, limit_per_peer)) {}
  ~BodyBudget() { state_->open = false; }
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;

  void set_limit(std::size_t limit_per_peer) {
    state_->limit = limit_per_peer;
    state_->wake();
  }
  // Null: there is no room now.
  Hold take(const std::string& party, std::size_t bytes) {
    std::size_t& used = state_->used[party];
    if (used > 0 && used + bytes > state_->limit) return nullptr;
    used += bytes;
    return Hold(state_.get(), [state = state_, party, bytes](const void*) { state->give_back(party, bytes); });
  }
  // Calls back once, from the loop, when there may be room again.
  void wait(std::function<void()> wake) { state_->waiting.push_back(std::move(wake)); }
  std::size_t used(const std::string& party) const {
    auto found = state_->used.find(party);
    return found == state_->used.end() ? 0 : found->second;
  }

 private:
  struct State : std::enable_shared_from_this<State> {
    State(EventLoop& on, std::size_t per_peer) : loop(on), limit(per_peer) {}
    void give_back(const std::string& party, std::size_t bytes) {
      auto found = used.find(party);
      found->second -= bytes;
      if (found->second == 0) used.erase(found);
      wake();
    }
    void wake() {
      if (!open || waiting.empty()) return;
      loop.post([woken = std::exchange(waiting, {})] {
        for (const auto& callback : woken) callback();
      });
    }
    EventLoop& loop;
    std::size_t limit;
    bool open = true;
    std::map<std::string, std::size_t> used;
    std::vector<std::function<void()>> waiting;
  };
  std::shared_ptr<State> state_;
};

}  // namespace pgmpc
