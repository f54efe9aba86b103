// What: the HTTPS client of a node: libcurl's multi interface inside an EventLoop.
// Terms: peer = party, URL and pinned fingerprint (two while it changes its certificate); error cause = one line that
// names the peer and the reason. Invariants: connections are kept open and never shared between two peers; only https,
// HTTP/1.1, no redirect, no
//             proxy (the environment is ignored), no signal; the answer's size is limited; callbacks run from
//             EventLoop::step(), never inside post() or get(), and not at all once the client is destroyed.
//             Threads that libcurl starts (name resolution) have every signal blocked.
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
  std::string next_fingerprint = {};  // also accepted, where not empty
  bool operator<(const Peer& other) const {
    return std::tie(party, url, fingerprint, next_fingerprint) <
           std::tie(other.party, other.url, other.fingerprint, other.next_fingerprint);
  }
};

struct HttpResult {
  int status = 0;  // 0: no answer, see error_cause
  Bytes body;
  std::string error_cause;  // "peer zorgttp: connection refused"
};

using SharedBytes = std::shared_ptr<const Bytes>;

class HttpClient {
 public:
  using Callback = std::function<void(HttpResult)>;

  // connections_per_peer: so many are kept open when they are idle.
  HttpClient(EventLoop& loop, std::shared_ptr<const Identity> identity, TrustStore trust, int connections_per_peer = 4,
             std::size_t response_limit = 16u << 20);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // timeout 0: none for the whole request (a dead connection is still noticed by TCP).
  void post(const Peer& peer, const std::string& path, SharedBytes body, std::chrono::milliseconds timeout,
            Callback callback);
  void post(const Peer& peer, const std::string& path, Bytes body, std::chrono::milliseconds timeout,
            Callback callback);
  void get(const Peer& peer, const std::string& path, std::chrono::milliseconds timeout, Callback callback);
  // For new connections; open ones are closed when they become idle.
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
  std::vector<std::shared_ptr<Link>> retired_;  // of an earlier identity, until their requests are done
};

}  // namespace pgmpc
