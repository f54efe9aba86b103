// Implements the state machine of one server connection: handshake, request, answer, linger.
#include "net/http_connection.h"

#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace pgmpc {

namespace {
constexpr int kReadsPerTurn = 8;  // fairness: then another connection has its turn
constexpr std::size_t kReadSize = 64 * 1024;
}  // namespace

HttpConnection::HttpConnection(HttpServer& server, int fd, std::uint64_t source, std::string remote)
    : server_(server),
      tls_(server.tls_),
      fd_(fd),
      source_(source),
      remote_(std::move(remote)),
      parser_(server.config_.body_limit) {}

HttpConnection::~HttpConnection() {
  if (fd_ >= 0) ::close(fd_);
}

EventLoop& HttpConnection::loop() const noexcept { return server_.loop_; }

void HttpConnection::start() {
  // A weak reference is enough: the loop compares generations.
  server_.loop_.watch(fd_, EPOLLIN | EPOLLRDHUP, [weak = weak_from_this()](std::uint32_t events) {
    if (auto self = weak.lock()) self->ready(events);
  });
  set_deadline(server_.config_.handshake_deadline);
}

void HttpConnection::close() {
  if (fd_ < 0) return;
  auto alive = shared_from_this();
  server_.loop_.cancel(timer_);
  server_.loop_.unwatch(fd_);
  ssl_.reset();
  ::close(fd_);
  fd_ = -1;
  server_.forget(*this);
}

void HttpConnection::ready(std::uint32_t events) {
  leaving_ = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (phase_ != Phase::handling && phase_ != Phase::waiting) return pump();
  // While an answer is being made, or the budget has no room, only the client's departure matters. Early bytes stay in
  // the socket.
  if (leaving_) return close();
  arm(EPOLLRDHUP);
}

void HttpConnection::pump() {
  // A handler that answers at once comes back here through respond(). The outer turn then continues, so that a stream
  // of requests cannot fill the stack.
  if (fd_ < 0 || pumping_) return;
  auto alive = shared_from_this();
  pumping_ = true;
  try {
    run_turn();
  } catch (const std::exception& error) {
    server_.refused("connection from " + remote_ + " failed: " + error.what());
    close();
  }
  pumping_ = false;
}

void HttpConnection::run_turn() {
  for (int turn = 0; turn < kReadsPerTurn; ++turn) {
    Progress progress = step();
    if (progress == Progress::closed) return close();
    if (progress == Progress::wait) return;
  }
  // OpenSSL may hold data that epoll cannot see.
  server_.loop_.post([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->pump();
  });
}

HttpConnection::Progress HttpConnection::step() {
  ERR_clear_error();
  switch (phase_) {
    case Phase::handshake:
      return handshake();
    case Phase::reading:
      return read_some();
    case Phase::waiting:
    case Phase::handling:
      return Progress::wait;
    case Phase::writing:
      return write_some();
    case Phase::lingering:
      return discard();
  }
  return Progress::closed;
}

// Interprets an SSL call that did not succeed: wait for the socket, or the given outcome.
HttpConnection::Progress HttpConnection::after_ssl(int result, Progress on_end) {
  int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return arm(EPOLLIN | EPOLLRDHUP), Progress::wait;
  if (error == SSL_ERROR_WANT_WRITE) return arm(EPOLLIN | EPOLLOUT | EPOLLRDHUP), Progress::wait;
  return on_end;
}

UnauthenticatedConnection HttpConnection::eviction_rank() const noexcept {
  if (phase_ != Phase::handshake) return {source_, Standing::refused};
  auto state = ssl_ ? SSL_get_state(ssl_.get()) : TLS_ST_BEFORE;
  bool waits_for_hello = state == TLS_ST_BEFORE || state == TLS_ST_SR_CLNT_HELLO;
  return {source_, waits_for_hello ? Standing::silent : Standing::answered};
}

// Tells whether OpenSSL can continue: the first record is complete, is no handshake record, or the client is gone. In
// the last two cases OpenSSL finds the error. Otherwise sets SO_RCVLOWAT, so that the kernel reports the socket again
// only when the rest of the record has arrived (RFC 8446, 5.1: type, version, length).
bool HttpConnection::hello_is_there() {
  std::array<std::uint8_t, 5> header{};
  ssize_t got = recv(fd_, header.data(), header.size(), MSG_PEEK);
  int arrived = 0, wanted = static_cast<int>(header.size());
  if (got == static_cast<ssize_t>(header.size())) wanted += header[3] << 8 | header[4];
  bool there = leaving_ || (got > 0 && header[0] != SSL3_RT_HANDSHAKE) ||
               (ioctl(fd_, FIONREAD, &arrived) == 0 && arrived >= wanted);
  if (there) wanted = 1;
  setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted);
  return there;
}

HttpConnection::Progress HttpConnection::handshake() {
  if (!ssl_) {
    if (!hello_is_there()) return Progress::wait;
    server_.make_room_for_handshake();
    ssl_ = tls_->accept(fd_, check_);
  }
  int result = SSL_do_handshake(ssl_.get());
  if (result != 1) {
    Progress progress = after_ssl(result, Progress::closed);
    if (progress == Progress::wait) return progress;
    std::string cause = !check_.cause.empty()   ? check_.cause
                        : ERR_peek_error() != 0 ? openssl_cause()
                                                : "the client closed the connection";
    server_.refused("refused connection from " + remote_ + ": " + cause);
    return linger();  // the alert must reach the client before a reset
  }
  OpenSslPtr<X509> certificate(SSL_get1_peer_certificate(ssl_.get()));
  if (!certificate || check_.party.empty()) return Progress::closed;
  fingerprint_ = certificate_fingerprint(certificate.get());
  if (!server_.admit(*this)) {
    server_.refused("refused connection from " + remote_ + ": peer " + check_.party + " has too many connections");
    return linger();
  }
  admitted_ = true;
  enter(Phase::reading);
  return Progress::again;
}

HttpConnection::Progress HttpConnection::read_some() {
  static thread_local std::array<std::uint8_t, kReadSize> buffer;
  int got = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
  if (got <= 0) return after_ssl(got, Progress::closed);
  bool was_idle = parser_.idle();
  switch (parser_.feed({buffer.data(), static_cast<std::size_t>(got)})) {
    case RequestParser::State::complete:
      return handle_request();
    case RequestParser::State::refused:
      return refuse(parser_.status(), parser_.cause());
    case RequestParser::State::header:
      if (was_idle) set_deadline(server_.config_.header_deadline);
      return Progress::again;
    case RequestParser::State::body:
      break;
  }
  if (!hold_ && !reserve_body()) return Progress::wait;
  set_deadline(server_.config_.progress_deadline);
  return Progress::again;
}

// Reserves room for the whole body before it is read, so that every body that has begun can be completed.
bool HttpConnection::reserve_body() {
  hold_ = server_.budget_.take(check_.party, parser_.content_length());
  if (hold_) return true;
  enter(Phase::waiting);
  server_.budget_.wait([weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->phase_ != Phase::waiting || !self->reserve_body()) return;
    self->enter(Phase::reading);
    self->set_deadline(self->server_.config_.progress_deadline);
    self->pump();
  });
  return false;
}

HttpConnection::Progress HttpConnection::handle_request() {
  HttpRequest parsed = parser_.take();
  // A body that arrived whole with its header has no hold yet; it is small.
  if (!hold_) hold_ = server_.budget_.take(check_.party, parsed.body.size());
  close_after_answer_ = !parsed.keep_alive;
  enter(Phase::handling);
  ++request_;
  Responder responder{weak_from_this()};
  if (!server_.handler_) return responder.respond(503), Progress::again;
  try {
    server_.handler_({check_.party, parsed.method, std::move(parsed.path), std::move(parsed.body), std::move(hold_)},
                     responder);
  } catch (const std::exception&) {
    responder.respond(500);
  }
  hold_.reset();
  return fd_ < 0 ? Progress::wait : Progress::again;  // the answer may be ready
}

HttpConnection::Progress HttpConnection::refuse(int status, const std::string& cause) {
  server_.refused("refused request of peer " + check_.party + " from " + remote_ + ": " + cause);
  close_after_answer_ = true;
  std::string text = cause + "\n";
  queue_answer(status, Bytes(text.begin(), text.end()), "text/plain");
  return Progress::again;
}

void HttpConnection::respond(std::uint64_t request, int status, const Bytes& body, const std::string& content_type) {
  if (fd_ < 0 || phase_ != Phase::handling || request != request_) return;
  // No peer of the same version sends such a request: the connection ends, too.
  if (status == 400 || status == 404 || status == 405 || status == 413) close_after_answer_ = true;
  queue_answer(status, body, content_type);
  pump();
}

void HttpConnection::queue_answer(int status, const Bytes& body, const std::string& content_type) {
  std::string head = response_head(status, content_type, body.size(), close_after_answer_);
  out_.assign(head.begin(), head.end());
  out_.insert(out_.end(), body.begin(), body.end());
  out_offset_ = 0;
  enter(Phase::writing);
}

HttpConnection::Progress HttpConnection::write_some() {
  std::size_t left = std::min<std::size_t>(out_.size() - out_offset_, 1u << 20);
  int written = SSL_write(ssl_.get(), out_.data() + out_offset_, static_cast<int>(left));
  if (written <= 0) return after_ssl(written, Progress::closed);
  out_offset_ += static_cast<std::size_t>(written);
  if (out_offset_ < out_.size()) return set_deadline(server_.config_.progress_deadline), Progress::again;
  out_ = Bytes();
  if (close_after_answer_) {
    SSL_shutdown(ssl_.get());
    return linger();
  }
  enter(Phase::reading);
  return SSL_has_pending(ssl_.get()) ? Progress::again : Progress::wait;  // otherwise epoll reports the next data
}

HttpConnection::Progress HttpConnection::linger() {
  shutdown(fd_, SHUT_WR);
  enter(Phase::lingering);
  return Progress::again;
}

HttpConnection::Progress HttpConnection::discard() {
  std::array<std::uint8_t, 16384> ignored;
  ssize_t got = recv(fd_, ignored.data(), ignored.size(), 0);
  if (got > 0 || (got < 0 && errno == EINTR)) return Progress::again;
  return got < 0 && errno == EAGAIN ? Progress::wait : Progress::closed;
}

void HttpConnection::enter(Phase phase) {
  phase_ = phase;
  switch (phase) {
    case Phase::handshake:
      break;
    case Phase::reading:
    case Phase::handling:
      deadline_set_ = false;
      break;  // no deadline while a peer is idle or its answer is being made; the number of connections is limited
    case Phase::waiting:
    case Phase::writing:
      set_deadline(server_.config_.progress_deadline);
      break;
    case Phase::lingering:
      set_deadline(server_.config_.linger);
      break;
  }
  if (phase != Phase::handling) arm(phase == Phase::waiting ? EPOLLRDHUP : EPOLLIN | EPOLLRDHUP);
}

void HttpConnection::arm(std::uint32_t events) {
  // A half-closed client would raise EPOLLRDHUP for ever while the connection lingers.
  server_.loop_.change(fd_, phase_ == Phase::lingering ? EPOLLIN : events);
}

// Keeps one timer per connection and moves it only when it would fire too late. Most deadlines are replaced long before
// they pass.
void HttpConnection::set_deadline(std::chrono::milliseconds delay) {
  deadline_ = EventLoop::Clock::now() + delay;
  deadline_set_ = true;
  if (timer_ != 0 && timer_at_ <= deadline_) return;
  server_.loop_.cancel(timer_);
  timer_at_ = deadline_;
  timer_ = server_.loop_.after(delay, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->deadline_passed();
  });
}

void HttpConnection::deadline_passed() {
  timer_ = 0;
  if (!deadline_set_) return;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - EventLoop::Clock::now());
  if (left.count() > 0) return set_deadline(left);
  if (phase_ == Phase::handshake) server_.refused("refused connection from " + remote_ + ": no TLS handshake in time");
  if (phase_ == Phase::waiting)
    server_.refused("closed connection of peer " + check_.party + " from " + remote_ +
                    ": no memory for its messages in time, see pg_mpc.listener_memory");
  if (phase_ == Phase::reading || phase_ == Phase::writing)
    server_.refused("closed connection of peer " + check_.party + " from " + remote_ + ": no progress in time");
  close();
}

}  // namespace pgmpc
