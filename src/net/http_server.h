// What: the HTTPS server of a node, single-threaded inside an EventLoop.
// Terms: party = the authenticated peer (its certificate's fingerprint is pinned); responder = the deferred answer to
//        one request; refused = a connection that ended before or because of its first bad byte.
// Invariants: no request reaches the handler before the peer is authenticated; one request at a time per
//             connection; every phase has a deadline and every kind of connection a cap, so that idle strangers can
//             neither hold memory nor shut out a peer. Handlers run on the loop's thread.
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
  std::size_t body_limit = kDefaultBodyLimit;
  std::size_t max_unauthenticated = 256;  // above it one makes room, see net/strangers.h
  std::size_t max_handshakes = 64;        // the same for those of them with a TLS object (about 100 kB each)
  std::size_t max_per_peer = 64;          // above it the connection that is idle longest makes room
  std::size_t body_budget = 256u << 20;   // bytes of bodies per peer, see net/body_budget.h
  std::chrono::milliseconds handshake_deadline{5000};
  std::chrono::milliseconds header_deadline{10000};
  std::chrono::milliseconds progress_deadline{30000};  // between two pieces of a body or of an answer
  std::chrono::milliseconds linger{1000};              // for a refused client to read why
};

struct Request {
  std::string party;
  HttpMethod method = HttpMethod::get;
  std::string path;
  Bytes body;
  BodyBudget::Hold hold;  // to be dropped when the body, or a copy of it, is no longer in memory
};

class HttpConnection;

// Copyable handle of one answer. Only the first respond() counts; a connection that has gone swallows it; when the
// last copy dies unused the client gets 500.
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

  // Listens at once, at every address that works, and accepts nobody before the first set_peers: who connects until
  // then waits instead of being refused. Error(configuration), with the address and the cause, when no address works.
  HttpServer(EventLoop& loop, HttpServerConfig config, std::shared_ptr<const Identity> identity, TrustStore trust,
             Log log);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  void set_handler(Handler handler) { handler_ = std::move(handler); }
  // Replaces who may connect; connections of parties that are not pinned any more are closed.
  void set_peers(PinnedPeers peers);
  const PinnedPeers& peers() const noexcept { return peers_; }
  // For new connections (certificate renewed, ca_file or crl_file changed). Open ones go on unless their peer would be
  // refused now.
  void set_identity(std::shared_ptr<const Identity> identity, TrustStore trust);
  void set_body_budget(std::size_t bytes) { budget_.set_limit(bytes); }
  std::size_t buffered(const std::string& party) const { return budget_.used(party); }
  int port() const noexcept { return port_; }
  // Why it does not listen at an address of the configuration, one line each.
  const std::vector<std::string>& address_problems() const noexcept { return address_problems_; }
  std::size_t connections() const noexcept { return connections_.size(); }

 private:
  friend class HttpConnection;

  void listen_at(const std::string& address);
  void accept_some(int fd);
  void make_room_for_stranger();
  void make_room_for_handshake();  // from a connection that has no TLS object yet
  template <typename Predicate>
  void make_room(std::size_t limit, const char* what, Predicate counts);
  // From a connection: it belongs to `party` now; false when the party's cap is reached by busy connections.
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
  std::set<std::string> bound_;  // their addresses
  std::vector<std::string> address_problems_;
  bool has_peers_ = false;  // set_peers was called
  int port_ = 0;
  std::list<std::shared_ptr<HttpConnection>> connections_;  // oldest first
  EventLoop::TimerId accept_timer_ = 0;
  // At most kLogBurst refusal lines per kLogPeriod; the rest is only counted.
  EventLoop::Clock::time_point log_period_{};
  int logged_ = 0, suppressed_ = 0;
};

}  // namespace pgmpc
