// Serves HTTPS requests of peers, single-threaded inside an EventLoop.
//
// Terms
// The party of a request is the authenticated peer, whose certificate fingerprint is pinned. A responder is the
// deferred answer to one request. A refused connection ended before, or because of, its first invalid byte.
//
// Invariants
// No request reaches the handler before the peer is authenticated. A connection handles one request at a time.
//
// Security
// Every phase except idle reading and handling has a deadline, and every kind of connection has a maximum number.
// Unauthenticated clients can therefore neither hold memory nor shut out a peer.
//
// Threads
// Handlers run on the loop's thread.
#pragma once
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ipc/event_loop.h"
#include "net/body_budget.h"
#include "net/http_request.h"
#include "net/tls.h"

namespace pgmpc {

struct HttpServerConfig {
  std::vector<std::string> addresses{"localhost"};  // host names or numbers; "*" for all
  int port = 0;                                     // 0: any free port, see HttpServer::port()
  std::size_t body_limit = kDefaultBodyLimit;       // bytes
  std::size_t max_unauthenticated = 256;            // at this number a new one evicts one, see net/eviction.h
  std::size_t max_handshakes = 64;                  // the same for those with a TLS object (about 100 kB each)
  std::size_t max_per_peer = 64;                    // at this number a new one replaces the oldest that is idle
  std::size_t body_budget = 256u << 20;             // bytes of bodies per peer, see net/body_budget.h
  std::chrono::milliseconds handshake_deadline{5000};
  std::chrono::milliseconds header_deadline{10000};
  std::chrono::milliseconds progress_deadline{30000};  // between two pieces of a body or of an answer
  std::chrono::milliseconds linger{1000};              // time for a refused client to read the reason
};

struct Request {
  std::string party;
  HttpMethod method = HttpMethod::get;
  std::string path;
  Bytes body;
  BodyBudget::Hold hold;  // drop it when the body, or a copy of it, is no longer in memory
};

class HttpConnection;

// A copyable handle of one answer. Only the first respond() counts, and it has no effect when the connection is gone.
// When the last copy is destroyed unused, the client gets status 500.
class Responder {
 public:
  explicit Responder(std::weak_ptr<HttpConnection> connection);
  void respond(int status, Bytes body = {}, std::string content_type = "application/octet-stream");
  void respond_json(int status, const std::string& json);

 private:
  struct Ticket;
  std::shared_ptr<Ticket> ticket_;
};

class HttpServer {
 public:
  using Handler = std::function<void(Request, Responder)>;
  using Log = std::function<void(const std::string& line)>;

  // Listens at once at every address that works. It accepts no connection before the first set_peers; until then
  // clients wait instead of being refused. Error(configuration) with address and cause when no address works.
  HttpServer(EventLoop& loop, HttpServerConfig config, std::shared_ptr<const Identity> identity, TrustStore trust,
             Log log);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void set_handler(Handler handler) { handler_ = std::move(handler); }
  // Replaces the peers that may connect. Closes connections of parties that are no longer pinned.
  void set_peers(PinnedPeers peers);
  const PinnedPeers& peers() const noexcept { return peers_; }
  // Sets identity and trust of new connections, after a change of certificate, ca_file or crl_file. Closes open
  // connections whose peer would be refused now.
  void set_identity(std::shared_ptr<const Identity> identity, TrustStore trust);
  void set_body_budget(std::size_t bytes) { budget_.set_limit(bytes); }
  // Bytes of bodies that are held for a peer.
  std::size_t buffered(const std::string& party) const { return budget_.used(party); }
  int port() const noexcept { return port_; }
  // Why it does not listen at an address of the configuration, one line per address.
  const std::vector<std::string>& address_problems() const noexcept { return address_problems_; }
  std::size_t connections() const noexcept { return connections_.size(); }

 private:
  friend class HttpConnection;

  void listen_at(const std::string& address);
  void accept_some(int fd);
  void evict_unauthenticated();
  void make_room_for_handshake();  // called by a connection that has no TLS object yet
  template <typename Predicate>
  void make_room(std::size_t limit, const char* what, Predicate counts);
  // Called by a connection that is authenticated now. Returns false when its fingerprint is no longer pinned for that
  // party, or when the party has max_per_peer other connections and none is idle.
  bool admit(HttpConnection& connection);
  void forget(HttpConnection& connection);
  void refused(const std::string& line);

  EventLoop& loop_;
  HttpServerConfig config_;
  Log log_;
  Handler handler_;
  BodyBudget budget_;
  std::shared_ptr<TlsServer> tls_;
  PinnedPeers peers_;
  std::vector<int> listeners_;
  std::set<std::string> bound_;  // the addresses of listeners_
  std::vector<std::string> address_problems_;
  bool has_peers_ = false;  // set_peers was called
  int port_ = 0;
  std::list<std::shared_ptr<HttpConnection>> connections_;  // oldest first
  EventLoop::TimerId accept_timer_ = 0;
  // At most kLogBurst refusal lines are logged per kLogPeriod; the rest is counted.
  EventLoop::Clock::time_point log_period_{};
  int logged_ = 0, suppressed_ = 0;
};

}  // namespace pgmpc
