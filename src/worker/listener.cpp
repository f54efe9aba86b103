// Implements the listener.
#include "worker/listener.h"

#include <sys/resource.h>

#include "pg/guc.h"
#include "pg/version.h"
#include "pg/workers.h"
#include "worker/message.h"

namespace pgmpc {
namespace {

constexpr std::chrono::milliseconds kOpenPause{2000};  // between two attempts to load the certificate or open the port

std::vector<std::string> addresses_of(const std::string& list) {
  std::vector<std::string> addresses;
  std::string current;
  for (char c : list + ",") {
    if (c == ',') {
      if (!current.empty()) addresses.push_back(std::exchange(current, {}));
    } else if (c != ' ' && c != '\t') {
      current += c;
    }
  }
  return addresses;
}

// Returns how many unauthenticated connections are allowed. The number is large, because one without a complete hello
// holds only a descriptor, and a flood that finds room waits for its deadline instead of reconnecting. It is at most
// half of the descriptors. The soft limit on them (often 1024) is raised as far as this needs and the system allows.
// The server's own files take few.
std::size_t max_unauthenticated() {
  constexpr rlim_t kMaxUnauthenticated = 2048;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return HttpServerConfig{}.max_unauthenticated;
  if (limit.rlim_cur < 2 * kMaxUnauthenticated) {
    rlimit raised{std::min(2 * kMaxUnauthenticated, limit.rlim_max), limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return std::min(kMaxUnauthenticated, limit.rlim_cur / 2);
}

std::size_t body_budget() { return static_cast<std::size_t>(guc::listener_memory_kb()) * 1024; }

}  // namespace

void Listener::open() {
  if (guc::party()[0] == '\0')
    return problem("no peer can connect", {"", "pg_mpc.party is not set: this server is not a node yet", "", ""});
  try {
    ensure_private_directory(kPrivateDirectory);
    auto identity = Identity::load(guc::certificate_file(), guc::private_key_file());
    HttpServerConfig config;
    config.addresses = addresses_of(guc::listen_addresses());
    config.port = guc::port();
    config.max_unauthenticated = max_unauthenticated();
    config.body_budget = body_budget();
    server_ = std::make_unique<HttpServer>(loop_, config, identity, load_trust_store(guc::ca_file(), guc::crl_file()),
                                           [](const std::string& line) { pg::log_line(line); });
    RouterConfig routes;
    routes.directory = kPrivateDirectory;
    routes.party = guc::party();
    routes.version = pg::kLibraryVersion;
    routes.address_problems = server_->address_problems();
    router_ = std::make_unique<Router>(loop_, *server_, routes);
    last_problem_.clear();
    for (const std::string& line : server_->address_problems()) pg::log_warning(line);
    pg::log_line("listening for peers on port " + std::to_string(server_->port()));
  } catch (...) {
    router_.reset();
    server_.reset();
    problem("no peer can connect", pg::current_error());
    retry_ = loop_.after(kOpenPause, [this] { settings_changed(); });
  }
}

void Listener::problem(const std::string& consequence, const pg::ErrorFields& error) {
  std::string what = consequence + ": " + error.message + (error.detail.empty() ? "" : ": " + error.detail);
  if (what != last_problem_) pg::log_warning(what);
  last_problem_ = what;
}

void Listener::settings_changed() {
  loop_.cancel(std::exchange(retry_, 0));
  if (!server_) return open();
  try {
    server_->set_body_budget(body_budget());
    auto identity = Identity::load(guc::certificate_file(), guc::private_key_file());
    server_->set_identity(identity, load_trust_store(guc::ca_file(), guc::crl_file()));
    last_problem_.clear();
  } catch (...) {
    pg::ErrorFields error = pg::current_error();
    problem("the earlier certificate stays in use", error);
    retry_ = loop_.after(kOpenPause, [this] { settings_changed(); });
  }
}

}  // namespace pgmpc
