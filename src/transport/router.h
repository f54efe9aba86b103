// What: the listener's logic without PostgreSQL: the routes of the HTTPS server, forwarded to local sockets.
//         GET  /v1/ping              answered here: {"party":..., "version":...}
//         POST /v1/control           one connection to the coordinator's socket per request:
//                                    -> {"op":"control","party":<authenticated>,"message":<body>}  (one frame)
//                                    <- {"ok":...} or {"error":...} (one frame), the body of the 200 as it is
//         POST /v1/data/<32 hex>     to the engine's socket (one cached connection per engine):
//                                    -> u64 request id, sized party name, data frame
//                                    <- u64 request id, u16 HTTP status
//       Besides, one connection to the coordinator that announces {"op":"listener","address_problems":["..."]} and
//       receives {"op":"peers","peers":[{"party","fingerprint"}]} whenever they change; reopened when the coordinator
//       restarts.
// Terms: 503 = nobody is there now, try again; 502 = the process went away before it answered.
// Invariants: the party of a forwarded message is the one that TLS authenticated, never one that the body claims.
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
  std::vector<std::string> address_problems;  // for the coordinator, which tells whoever asks for the node's status
  std::chrono::milliseconds control_timeout{60000};
  std::chrono::milliseconds reconnect_delay{200};  // doubled per failure up to 5 s
};

// Exactly one JSON object of bounded size and depth: it can then be put into another one as text.
bool is_control_message(const Bytes& body);
// The frame for the coordinator; `party` is the one that TLS authenticated.
std::string control_envelope(const std::string& party, const Bytes& body);

// What a router and an engine's channel say to each other. The data frame follows the head.
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
