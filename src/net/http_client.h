// Sends HTTPS requests to peers: libcurl's multi interface inside an EventLoop.
//
// Terms
// A peer is a party with its URL and pinned fingerprint (two while it changes its certificate). An error cause is one
// line that names the peer and the reason.
//
// Invariants
// Connections are kept open and never shared between two peers. Only https and HTTP/1.1 are used; redirects, proxies
// (also those of the environment) and signals are off. The size of the answer is limited. Callbacks run from
// EventLoop::step(), never inside post() or get(), and never after the client is destroyed.
//
// Threads
// Threads that libcurl starts (name resolution) have every signal blocked.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "ipc/event_loop.h"
#include "net/tls.h"

namespace pgmpc {

struct Peer {
  std::string party, url, fingerprint;
  std::string next_fingerprint = {};  // also accepted unless empty
  bool operator<(const Peer& other) const {
    return std::tie(party, url, fingerprint, next_fingerprint) <
           std::tie(other.party, other.url, other.fingerprint, other.next_fingerprint);
  }
};

struct HttpResult {
  int status = 0;  // HTTP status; 0: no answer, see error_cause
  Bytes body;
  std::string error_cause;  // "peer zorgttp: connection refused"
};

using SharedBytes = std::shared_ptr<const Bytes>;

class HttpClient {
 public:
  using Callback = std::function<void(HttpResult)>;

  // connections_per_peer: how many idle connections stay open. response_limit: bytes of an answer's body.
  HttpClient(EventLoop& loop, std::shared_ptr<const Identity> identity, TrustStore trust, int connections_per_peer = 4,
             std::size_t response_limit = 16u << 20);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Starts a request. timeout 0: no limit for the whole request; TCP still detects a dead connection.
  void post(const Peer& peer, const std::string& path, SharedBytes body, std::chrono::milliseconds timeout,
            Callback callback);
  void post(const Peer& peer, const std::string& path, Bytes body, std::chrono::milliseconds timeout,
            Callback callback);
  void get(const Peer& peer, const std::string& path, std::chrono::milliseconds timeout, Callback callback);
  // Sets the identity of new connections. Requests under way end on their old connections, which are then closed.
  void set_identity(std::shared_ptr<const Identity> identity, TrustStore trust);

 private:
  class Link;
  Link& link_to(const Peer& peer);

  EventLoop& loop_;
  std::shared_ptr<const Identity> identity_;
  TrustStore trust_;
  int connections_per_peer_;
  std::size_t response_limit_;
  std::map<Peer, std::shared_ptr<Link>> links_;
  std::vector<std::shared_ptr<Link>> retired_;  // of an earlier identity or broken, until their requests are done
};

}  // namespace pgmpc
