// Runs the listener of a node: HTTPS server and router in one event loop, with the settings of this node.
//
// Errors
// Problems of the settings never end the process. While certificate, key or address do not work, the cause is logged
// once. The listener tries again by itself, and at once when the configuration is reloaded.
//
// Security
// It uses no database, and holds no secret except the TLS key.
#pragma once
#include <memory>
#include <string>

#include "ipc/event_loop.h"
#include "net/http_server.h"
#include "pg/error_fields.h"
#include "transport/router.h"

namespace pgmpc {

class Listener {
 public:
  Listener() { open(); }
  EventLoop& loop() { return loop_; }
  void latch_was_set() {}
  // Reads certificate, key, ca_file and crl_file again. Opens the port if that has not worked so far.
  void settings_changed();

 private:
  void open();
  void problem(const std::string& consequence, const pg::ErrorFields& error);

  EventLoop loop_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Router> router_;
  std::string last_problem_;
  EventLoop::TimerId retry_ = 0;
};

}  // namespace pgmpc
