// Implements the HTTPS server: listening, accepting, eviction, peers and identity.
#include "net/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "net/http_connection.h"

namespace pgmpc {

namespace {
constexpr int kLogBurst = 10;
constexpr std::chrono::seconds kLogPeriod{10};

void set_option(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

std::string address_text(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, service, sizeof service,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "unknown address";
  return std::string(host) + " port " + service;
}

int port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

sockaddr_storage with_port(const addrinfo& info, int port) {
  sockaddr_storage address{};
  std::memcpy(&address, info.ai_addr, info.ai_addrlen);
  if (info.ai_family == AF_INET6)
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(port);
  else
    reinterpret_cast<sockaddr_in&>(address).sin_port = htons(port);
  return address;
}

// Returns a listening descriptor, or -1 with errno set.
int open_listener(const addrinfo& info, int port) {
  int fd = socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (info.ai_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  sockaddr_storage address = with_port(info, port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), info.ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  int cause = errno;
  close(fd);
  errno = cause;
  return -1;
}
}  // namespace

struct Responder::Ticket {
  std::weak_ptr<HttpConnection> connection;
  std::uint64_t request = 0;
  bool used = false;
  ~Ticket() {
    auto alive = connection.lock();
    if (used || !alive || alive->closed()) return;
    // Posted, because the last copy may die anywhere, also inside the connection's own code.
    try {
      alive->loop().post([weak = connection, number = request] {
        if (auto self = weak.lock()) self->respond(number, 500, {}, "application/octet-stream");
      });
    } catch (const std::exception&) {
      // Out of memory: the client's deadline ends the request.
    }
  }
};

Responder::Responder(std::weak_ptr<HttpConnection> connection) : ticket_(std::make_shared<Ticket>()) {
  if (auto alive = connection.lock()) ticket_->request = alive->request();
  ticket_->connection = std::move(connection);
}

void Responder::respond(int status, Bytes body, std::string content_type) {
  if (ticket_->used) return;
  ticket_->used = true;
  if (auto alive = ticket_->connection.lock()) alive->respond(ticket_->request, status, body, content_type);
}

void Responder::respond_json(int status, const std::string& json) {
  respond(status, Bytes(json.begin(), json.end()), "application/json");
}

HttpServer::HttpServer(EventLoop& loop, HttpServerConfig config, std::shared_ptr<const Identity> identity,
                       TrustStore trust, Log log)
    : loop_(loop),
      config_(std::move(config)),
      log_(std::move(log)),
      budget_(loop, config_.body_budget),
      port_(config_.port) {
  set_identity(std::move(identity), std::move(trust));
  std::optional<Error> first;
  for (const auto& address : config_.addresses) {
    try {
      listen_at(address);
    } catch (const Error& error) {
      if (!first) first = error;
      address_problems_.push_back(error.message() + ": " + error.detail());
    }
  }
  if (listeners_.empty()) throw first ? *first : Error(ErrorCode::configuration, "no address to listen on");
  for (int fd : listeners_) loop_.watch(fd, 0, [this, fd](std::uint32_t) { accept_some(fd); });
}

HttpServer::~HttpServer() {
  loop_.cancel(accept_timer_);
  for (int fd : listeners_) {
    loop_.unwatch(fd);
    close(fd);
  }
  while (!connections_.empty()) connections_.front()->close();
}

void HttpServer::listen_at(const std::string& address) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  int result = getaddrinfo(address == "*" ? nullptr : address.c_str(), "0", &hints, &found);
  if (result != 0)
    throw Error(ErrorCode::configuration, "could not resolve listen address \"" + address + "\"", gai_strerror(result));
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  bool some = false;
  int cause = 0;
  // "localhost" and "*" stand for several addresses, and a host may lack one family. A port in use is an error.
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (bound_.contains(address_text(with_port(*info, port_), info->ai_addrlen))) {
      some = true;  // named twice, as in "localhost, 127.0.0.1"
      continue;
    }
    int fd = open_listener(*info, port_);
    if (fd < 0) {
      cause = errno;
      if (cause == EADDRNOTAVAIL || cause == EAFNOSUPPORT) continue;
      break;
    }
    cause = 0;
    some = true;
    listeners_.push_back(fd);
    if (port_ == 0) port_ = port_of(fd);
    bound_.insert(address_text(with_port(*info, port_), info->ai_addrlen));
  }
  if (!some || cause == EADDRINUSE)
    throw Error(ErrorCode::configuration,
                "could not listen on address \"" + address + "\" port " + std::to_string(port_), std::strerror(cause));
}

// Accepts at most max_unauthenticated / 4 + 1 connections, and at most 33, per event. A new client's first bytes are
// thus handled before a flood behind it can evict it.
void HttpServer::accept_some(int fd) {
  for (std::size_t turn = 0; turn <= std::min<std::size_t>(config_.max_unauthenticated / 4, 32); ++turn) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    int client = accept4(fd, reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (client < 0 && errno != EAGAIN && accept_timer_ == 0) {
      // Out of descriptors: the level-triggered event would spin, so accept again after a pause.
      refused(std::string("could not accept a connection: ") + std::strerror(errno));
      for (int listener : listeners_) loop_.change(listener, 0);
      accept_timer_ = loop_.after(std::chrono::milliseconds(100), [this] {
        accept_timer_ = 0;
        for (int listener : listeners_) loop_.change(listener, EPOLLIN);
      });
    }
    if (client < 0) return;
    set_option(client, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(client, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(client, IPPROTO_TCP, TCP_KEEPIDLE, 30);
    set_option(client, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    evict_unauthenticated();
    std::shared_ptr<HttpConnection> connection;
    try {
      connection = std::make_shared<HttpConnection>(*this, client, source_of(address), address_text(address, size));
    } catch (const std::exception& error) {
      close(client);
      refused(std::string("could not accept a connection: ") + error.what());
      continue;
    }
    connections_.push_back(connection);
    connection->start();
  }
}

template <typename Predicate>
void HttpServer::make_room(std::size_t limit, const char* what, Predicate counts) {
  auto candidate = [&](const auto& connection) { return !connection->authenticated() && counts(*connection); };
  if (static_cast<std::size_t>(std::ranges::count_if(connections_, candidate)) < limit) return;
  std::vector<UnauthenticatedConnection> ranks;
  std::vector<HttpConnection*> connections;
  for (const auto& connection : connections_) {
    if (!candidate(connection)) continue;
    ranks.push_back(connection->eviction_rank());
    connections.push_back(connection.get());
  }
  HttpConnection& victim = *connections[choose_eviction(ranks)];
  refused(std::string("too many ") + what + ": closed one from " + victim.remote());
  victim.close();
}

void HttpServer::evict_unauthenticated() {
  make_room(config_.max_unauthenticated, "connections without TLS handshake", [](const auto&) { return true; });
}

void HttpServer::make_room_for_handshake() {
  make_room(config_.max_handshakes, "unfinished TLS handshakes",
            [](const auto& connection) { return connection.has_tls(); });
}

bool HttpServer::admit(HttpConnection& connection) {
  auto pinned = peers_.find(connection.fingerprint());
  if (pinned == peers_.end() || pinned->second != connection.party()) return false;
  auto same = [&](const auto& other) {
    return other.get() != &connection && other->authenticated() && other->party() == connection.party();
  };
  if (static_cast<std::size_t>(std::ranges::count_if(connections_, same)) < config_.max_per_peer) return true;
  auto idle = std::ranges::find_if(connections_, [&](const auto& other) { return same(other) && other->idle(); });
  if (idle == connections_.end()) return false;
  auto victim = *idle;
  victim->close();
  return true;
}

void HttpServer::forget(HttpConnection& connection) {
  connections_.remove_if([&](const auto& other) { return other.get() == &connection; });
}

void HttpServer::set_peers(PinnedPeers peers) {
  peers_ = std::move(peers);
  tls_->set_peers(peers_);
  if (!std::exchange(has_peers_, true))
    for (int listener : listeners_) loop_.change(listener, EPOLLIN);
  auto snapshot = connections_;
  for (auto& connection : snapshot) {
    if (!connection->authenticated()) continue;
    auto pinned = peers_.find(connection->fingerprint());
    if (pinned == peers_.end() || pinned->second != connection->party()) connection->close();
  }
}

void HttpServer::set_identity(std::shared_ptr<const Identity> identity, TrustStore trust) {
  auto fresh = std::make_shared<TlsServer>(std::move(identity), std::move(trust));
  fresh->set_peers(peers_);
  tls_ = std::move(fresh);
  auto snapshot = connections_;
  for (auto& connection : snapshot) {
    if (!connection->authenticated()) continue;
    std::string problem = tls_->problem_of(connection->ssl());
    if (problem.empty()) continue;
    refused("closed connection of peer " + connection->party() + " from " + connection->remote() + ": " + problem);
    connection->close();
  }
}

void HttpServer::refused(const std::string& line) {
  if (!log_) return;
  auto now = EventLoop::Clock::now();
  if (now - log_period_ > kLogPeriod) {
    if (suppressed_ > 0) log_(std::to_string(suppressed_) + " more refused connections or requests");
    log_period_ = now;
    logged_ = suppressed_ = 0;
  }
  if (++logged_ <= kLogBurst)
    log_(line);
  else
    ++suppressed_;
}

}  // namespace pgmpc
