// Sends the coordinator's requests to other nodes over HTTPS, and holds the list of peers.
//
// Invariants
// Every call is answered exactly once, from the event loop.
//
// Errors
// A failed transport is an error reply like any other (MP003 with its cause). unreachable() tells it from a refusal by
// the peer.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "net/http_client.h"
#include "worker/message.h"
#include "worker/tables.h"

namespace pgmpc {

class PeerClient {
 public:
  using Callback = std::function<void(const Json& reply)>;

  explicit PeerClient(EventLoop& loop) : loop_(loop) {}

  // Loads certificate and key that the settings name. A problem is kept. Without a loaded certificate, every call is
  // answered with it.
  void load_identity();
  void set_peers(std::vector<tables::KnownPeer> peers);
  const std::map<std::string, tables::KnownPeer>& peers() const { return peers_; }
  const std::optional<pg::ErrorFields>& identity_problem() const { return problem_; }
  std::string identity_problem_text() const;  // with its detail; empty when there is none

  // Sends a control message. The reply is checked (worker/peer_answer.h).
  void control(const std::string& party, const Json& message, std::chrono::milliseconds timeout, Callback callback);
  // Answers {"ok":{"round_trip_ms": ..., "clock_ahead_ms": ...}} once the peer's listener has answered under its pinned
  // certificate and its name. clock_ahead_ms is the peer's clock minus this node's, null when the peer does not send
  // its time. Uses a new connection, because open ones say nothing about certificates that have changed since.
  void ping(const std::string& party, std::chrono::milliseconds timeout, Callback callback);

  static bool unreachable(const Json& reply) { return reply.contains("unreachable"); }

 private:
  // Returns the peer to call, or nullptr after an error was posted to the callback.
  const tables::KnownPeer* callee(const std::string& party, const Callback& callback);

  EventLoop& loop_;
  std::shared_ptr<const Identity> identity_;
  TrustStore trust_;
  std::shared_ptr<HttpClient> client_;  // present once an identity was loaded
  std::optional<pg::ErrorFields> problem_;
  std::map<std::string, tables::KnownPeer> peers_;
};

}  // namespace pgmpc
