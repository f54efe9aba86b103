// Detects that a peer of a TransportChannel has left or cannot be reached, and decides how the attempt then ends.
//
// Invariants
// The error names the peer on whose side the loss lies, as far as this party can know.
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

// Returns the error that ends the attempt after an abort of that peer. When the abort names this party, its senders
// have lost contact with this party. The peer that this party does not reach either is then the better name.
Error TransportChannel::stopped(int by) const {
  int first = peers_[by].stopped_by;
  if (first == config_.self) {
    if (const int lost = unheard(); lost >= 0) {
      const PeerState& state = peers_[lost];
      return Error(ErrorCode::peer_unreachable, "peer " + config_.peers[lost].party + " could not be reached",
                   state.out->cause().empty() ? state.alive_cause : state.out->cause(),
                   "The other parties ended the attempt because they did not reach this node. Check the connection "
                   "between the two nodes.");
    }
    first = by;
  }
  return Error(ErrorCode::peer_stopped, "party " + config_.peers[first].party + " stopped the attempt",
               "Only the node of that party has the reason.", "Ask its administrator to look at mpc.studies there.");
}

// Returns the peer that has given no sign, in one of the two directions, for longest, if for more than half of
// step_timeout; -1: none. Alive frames are exchanged many times in that period.
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

// Returns the party that ended the attempt, for the abort that this party sends: one that it was told of or found lost,
// else itself.
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

// Frames from the peer do not count: a peer that we cannot reach would otherwise wait for our messages for ever.
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
    throw Error(ErrorCode::timeout, "peer " + party + " has accepted no message for " + time, {},
                "see pg_mpc.step_timeout");
  throw Error(ErrorCode::peer_unreachable, "peer " + party + " could not be reached for " + time, out.cause());
}

}  // namespace pgmpc
