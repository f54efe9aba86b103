// What: what the coordinator says to other nodes over HTTPS, and the list of peers it knows.
// Invariants: every call is answered exactly once, from the event loop; a failed transport is an error reply like any
//             other (MP003 with its cause) that unreachable() tells apart from a peer's own refusal.
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

  // Reads certificate and key named by the settings; a problem is kept and becomes the answer of every call.
  void load_identity();
  void set_peers(std::vector<tables::KnownPeer> peers);
  const std::map<std::string, tables::KnownPeer>& peers() const { return peers_; }
  const std::optional<pg::Fault>& identity_problem() const { return problem_; }
  std::string identity_problem_text() const;  // with its reason; empty when there is none

  void control(const std::string& party, const Json& message, std::chrono::milliseconds timeout, Callback callback);
  // {"ok":{"round_trip_ms": ..., "clock_ahead_ms": of the peer, against this node's, null: not told}} once the peer's
  // listener has answered, on a new connection, under its pinned certificate and its name: connections that are open
  // already say nothing about certificates changed since.
  void ping(const std::string& party, std::chrono::milliseconds timeout, Callback callback);

  static bool unreachable(const Json& reply) { return reply.contains("unreachable"); }

 private:
  // The peer to call; nullptr after an error has been posted to the callback.
  const tables::KnownPeer* callee(const std::string& party, const Callback& callback);

  EventLoop& loop_;
  std::shared_ptr<const Identity> identity_;
  TrustStore trust_;
  std::shared_ptr<HttpClient> client_;  // present once an identity was loaded
  std::optional<pg::Fault> problem_;
  std::map<std::string, tables::KnownPeer> peers_;
};

}  // namespace pgmpc
