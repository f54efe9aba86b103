// Forwards requests of the HTTPS server to local sockets: the listener's logic without PostgreSQL.
//
// Routes
//   GET  /v1/ping            answered here: {"party", "version", "time_ms"}
//   POST /v1/control         one connection to the coordinator's socket per request
//                            -> {"op":"control","party":<authenticated>,"message":<body>}  (one frame)
//                            <- {"ok":...} or {"error":...}  (one frame, the unchanged body of status 200)
//   POST /v1/data/<32 hex>   to the engine's socket, over one cached connection per engine
//                            -> u64 request id, sized party name, data frame
//                            <- u64 request id, u16 HTTP status
//
// One more connection to the coordinator announces {"op":"listener","address_problems":["..."]}. It receives
// {"op":"peers","peers":[{"party","fingerprint"}]} whenever the peers change. It is reopened when the coordinator
// restarts.
//
// Errors
// Status 503: the process is not running or did not answer in time; the peer may try again. Status 502: the coordinator
// stopped before it answered.
//
// Security
// The party of a forwarded message is the one that TLS authenticated, never one that the body claims.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "ipc/local_socket.h"
#include "net/http_server.h"

namespace pgmpc {

struct RouterConfig {
  std::string directory = "pg_mpc";  // holds the sockets
  std::string party, version;
  std::vector<std::string> address_problems;  // for the coordinator, which shows them in the node's status
  std::chrono::milliseconds control_timeout{60000};
  std::chrono::milliseconds reconnect_delay{200};  // doubled after each failure, up to 5 s
};

// True for one JSON object of at most 1 MB and 32 levels, without a zero byte. It can be embedded as text.
bool is_control_message(const Bytes& body);
// Builds the frame for the coordinator. `party` is the one that TLS authenticated; `body` is a control message.
std::string control_envelope(const std::string& party, const Bytes& body);

// Messages between a router and an engine's channel. The data frame follows the head.
Bytes forward_head(std::uint64_t id, const std::string& party);
Bytes encode_verdict(std::uint64_t id, int status);

class Router {
 public:
  Router(EventLoop& loop, HttpServer& server, RouterConfig config);  // becomes the server's handler
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  bool coordinator_connected() const noexcept { return coordinator_ != nullptr; }

 private:
  struct Engine;
  struct Control;

  void handle(Request request, Responder responder);
  void handle_data(const std::string& attempt, Request request, Responder responder);
  void handle_control(Request request, Responder responder);
  Engine* engine_of(const std::string& attempt);
  void drop_engine(const std::string& attempt);
  void drop_control(std::uint64_t id);
  void connect_coordinator();
  void coordinator_lost();
  void take_peers(const Bytes& frame);

  EventLoop& loop_;
  HttpServer& server_;
  RouterConfig config_;
  std::map<std::string, std::shared_ptr<Engine>> engines_;
  std::map<std::uint64_t, std::shared_ptr<Control>> controls_;
  std::uint64_t last_id_ = 0;
  std::unique_ptr<LocalClient> coordinator_;
  EventLoop::TimerId reconnect_timer_ = 0;
  std::chrono::milliseconds reconnect_delay_;
};

}  // namespace pgmpc
