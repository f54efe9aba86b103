// Serves one TLS connection of the HttpServer: a state machine over a non-blocking socket.
//
// Terms
// The phases are handshake -> reading -> handling -> writing -> reading and so on. In the phase waiting, reading
// continues when the peer's body budget has room. In the phase lingering, the answer or the TLS alert has been sent and
// our side is shut; incoming bytes are discarded, so that no reset overtakes the answer. The hello is the first TLS
// record of a client; it stays in the socket until it is complete.
//
// Invariants
// A connection has no TLS object before its hello is complete: an idle or slow client holds one file descriptor and no
// TLS memory. Data may wait inside OpenSSL while the socket has none. Whenever reading stops early, the connection
// therefore posts itself to the loop.
//
// Threads
// Only http_server.* and Responder use this class, on the loop's thread.
#pragma once
#include "net/eviction.h"
#include "net/http_server.h"

namespace pgmpc {

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // source: the client's network, see net/eviction.h.
  HttpConnection(HttpServer& server, int fd, std::uint64_t source, std::string remote);
  ~HttpConnection();
  void start();
  void close();  // idempotent; removes the connection from the server's list

  // Answers the request with that number. No effect when the connection is closed or handles another request.
  void respond(std::uint64_t request, int status, const Bytes& body, const std::string& content_type);
  std::uint64_t request() const noexcept { return request_; }

  bool authenticated() const noexcept { return admitted_; }
  UnauthenticatedConnection eviction_rank() const noexcept;  // how it ranks while it is not authenticated
  bool has_tls() const noexcept { return ssl_ != nullptr; }
  bool idle() const noexcept { return phase_ == Phase::reading && parser_.idle(); }
  bool closed() const noexcept { return fd_ < 0; }
  const std::string& party() const noexcept { return check_.party; }
  const std::string& fingerprint() const noexcept { return fingerprint_; }
  const std::string& remote() const noexcept { return remote_; }
  SSL* ssl() const noexcept { return ssl_.get(); }
  EventLoop& loop() const noexcept;

 private:
  enum class Phase { handshake, reading, waiting, handling, writing, lingering };
  enum class Progress { again, wait, closed };

  void ready(std::uint32_t events);
  void pump();
  void run_turn();
  Progress step();
  bool hello_is_there();
  Progress handshake();
  Progress read_some();
  Progress write_some();
  Progress discard();
  bool reserve_body();
  Progress handle_request();
  Progress refuse(int status, const std::string& cause);
  Progress linger();
  Progress after_ssl(int result, Progress on_end);
  void enter(Phase phase);
  void arm(std::uint32_t events);
  void set_deadline(std::chrono::milliseconds delay);
  void deadline_passed();
  void queue_answer(int status, const Bytes& body, const std::string& content_type);

  HttpServer& server_;
  std::shared_ptr<TlsServer> tls_;
  int fd_;
  std::uint64_t source_;
  std::string remote_;
  PeerCheck check_;
  OpenSslPtr<SSL> ssl_;
  std::string fingerprint_;
  Phase phase_ = Phase::handshake;
  RequestParser parser_;
  BodyBudget::Hold hold_;  // for the body that is being read
  Bytes out_;
  std::size_t out_offset_ = 0;
  bool close_after_answer_ = false;
  std::uint64_t request_ = 0;  // number of the request being handled
  EventLoop::TimerId timer_ = 0;
  EventLoop::Clock::time_point deadline_{};
  EventLoop::Clock::time_point timer_at_{};
  bool deadline_set_ = false, pumping_ = false, admitted_ = false, leaving_ = false;
};

}  // namespace pgmpc
