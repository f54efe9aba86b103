// What: how a TransportChannel finds out that a peer has gone or cannot be reached, and how the attempt then ends.
// Invariant: the error names the peer at whose side the loss lies, as far as this party can know.
#include <algorithm>

#include "base/duration.h"
#include "base/error.h"
#include "transport/transport_channel.h"

namespace pgmpc {

void TransportChannel::check() {
  cancel_.check();
  if (failure_) throw *failure_;
  for (int i = 0; i < kParties; ++i) {
    if (i == config_.self) continue;
    if (peers_[i].stopped_by >= 0) throw stopped(i);
    check_progress(peers_[i]);
  }
}

// How the attempt ends after an abort of that peer. One about this party itself comes from peers that have given this
// party up: what they met is between this party and the one that it does not reach either.
Error TransportChannel::stopped(int by) const {
  int first = peers_[by].stopped_by;
  if (first == config_.self) {
    if (const int lost = unheard(); lost >= 0) {
      const PeerState& state = peers_[lost];
      return Error(ErrorCode::peer_unreachable, "peer " + config_.peers[lost].party + " could not be reached",
                   state.out->cause().empty() ? state.alive_cause : state.out->cause(),
                   "The other parties have given this node up; see whether the two nodes reach each other.");
    }
    first = by;
  }
  return Error(ErrorCode::peer_stopped, "party " + config_.peers[first].party + " stopped the attempt",
               "The reason is known on the node of that party only.", "Ask it to look at mpc.studies there.");
}

// The peer of which there has been no sign for longest, in either direction, if for half of step_timeout (alive frames
// come and go many times meanwhile); -1: none.
int TransportChannel::unheard() const {
  int lost = -1;
  auto oldest = Clock::now() - config_.step_timeout / 2;
  for (int i = 0; i < kParties; ++i) {
    if (i == config_.self || config_.step_timeout.count() == 0) continue;
    const auto sign =
        std::max(begun_, std::min(peers_[i].heard, std::max(peers_[i].reached, peers_[i].out->progress())));
    if (sign >= oldest) continue;
    oldest = sign;
    lost = i;
  }
  return lost;
}

// Who ended the attempt, for the abort that this party sends: whoever it heard or found to be gone, else itself.
int TransportChannel::who_left() const {
  for (int i = 0; i < kParties; ++i) {
    if (i == config_.self) continue;
    if (peers_[i].stopped_by >= 0) {
      const int first = peers_[i].stopped_by != config_.self ? peers_[i].stopped_by : unheard();
      if (first >= 0) return first;
    }
    if (peers_[i].out->refused() || takes_nothing(peers_[i])) return i;
  }
  const int told = cancel_.cancelled() && config_.because_of ? config_.because_of() : -1;
  return told >= 0 && told < kParties ? told : config_.self;
}

// What we hear from the peer does not count: one that we cannot reach would wait for our messages for ever.
bool TransportChannel::takes_nothing(const PeerState& state) const {
  return config_.step_timeout.count() > 0 && !state.out->empty() &&
         Clock::now() - std::max(state.out->progress(), state.reached) > config_.step_timeout;
}

void TransportChannel::check_progress(const PeerState& state) const {
  const SendQueue& out = *state.out;
  const std::string& party = out.peer().party;
  if (out.refused()) throw Error(ErrorCode::peer_unreachable, "peer " + party + " refused a message", out.cause());
  if (!takes_nothing(state)) return;
  std::string time = duration_text(config_.step_timeout);
  if (out.cause().empty())
    throw Error(ErrorCode::timeout, "peer " + party + " has taken no message for " + time, {},
                "see pg_mpc.step_timeout");
  throw Error(ErrorCode::peer_unreachable, "peer " + party + " could not be reached for " + time, out.cause());
}

}  // namespace pgmpc
