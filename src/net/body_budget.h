// Limits how many bytes of request bodies a server holds for each peer.
//
// Terms
// A hold is the share of one body. It is taken before the body is read and returned when its last owner drops it, that
// is, when the handler of the request has passed the body on.
//
// Invariants
// The holds of a peer sum to at most the limit, except that one body always fits. A connection whose body does not fit
// stops reading until a hold returns; TCP then holds the sender back. A peer that floods this node, and an engine that
// has stopped taking messages, therefore take no memory from other peers.
//
// Threads
// Only the loop's thread uses this class.
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
  // Reserves `bytes` for the peer. Returns null when there is no room now.
  Hold take(const std::string& party, std::size_t bytes) {
    std::size_t& used = state_->used[party];
    if (used > 0 && used + bytes > state_->limit) return nullptr;
    used += bytes;
    return Hold(state_.get(), [state = state_, party, bytes](const void*) { state->give_back(party, bytes); });
  }
  // Calls `wake` once, from the loop, when there may be room again.
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
