// Runs step 8 between three parties as six processes of this machine. Each party has a listener and an engine, which
// use TLS as the servers do, optionally through t/lib/relay, which delays both directions.
//
// Terms
// A run is one analysis on existing shares by the three engines, with open connections. It takes as long as its slowest
// party: from the moment when all are ready until that party's last message is acknowledged.
//
// Invariants
// The parent has no thread when it forks. Every child ends when the parent closes its end of their socket.
#pragma once
#include <malloc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "../test/unit/transport/test_node.h"
#include "crypto/sealed_channel.h"
#include "lasso_data.h"
#include "report.h"

namespace pgmpc::bench {

// A child process and a socket to it, which carries JSON objects, one per line.
class Child {
 public:
  using Json = nlohmann::json;

  explicit Child(const std::function<void(Child&)>& body) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
    std::fflush(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    line_ = ends[pid_ == 0 ? 1 : 0];
    close(ends[pid_ == 0 ? 0 : 1]);
    if (pid_ == 0) run(body);
    lines().push_back(line_);
  }
  ~Child() {
    std::erase(lines(), line_);
    close(line_);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int line() const { return line_; }
  void say(const Json& message) { write_all(message.dump() + "\n"); }
  void write_all(const std::string& text) {
    if (write(line_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) throw std::runtime_error("write");
  }
  std::string hear_text() {
    std::string text;
    for (char c; read(line_, &c, 1) == 1; text += c)
      if (c == '\n') return text;
    throw std::runtime_error("a process of the benchmark ended early");
  }
  Json hear() { return Json::parse(hear_text()); }
  bool ended() {
    char c;
    return read(line_, &c, 1) <= 0;
  }

 private:
  // The parent's ends of all sockets. A child closes those of the other children.
  static std::vector<int>& lines() {
    static std::vector<int> all;
    return all;
  }
  [[noreturn]] void run(const std::function<void(Child&)>& body) {
    for (int each : lines()) close(each);
    try {
      body(*this);
      _exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench_lasso: %s\n", error.what());
      _exit(1);
    }
  }
  pid_t pid_;
  int line_;
};

inline const char* const kLassoParties[] = {"erasmus_mc", "zilveren_kruis", "zorgttp"};

// The listener of one party. Sends its own address, receives the list of peers, and serves until the socket closes.
inline void lasso_listener(Child& parent, int self) {
  mallopt(M_ARENA_MAX, 1);  // the listener of a server is single-threaded
  test::TestNode node(kLassoParties[self]);
  const Peer peer = node.peer();
  parent.say({{"url", peer.url},
              {"fingerprint", peer.fingerprint},
              {"socket", node.socket_path(AttemptId{})},
              {"certificate", node.certificate().certificate_file},
              {"key", node.certificate().key_file}});
  std::vector<Peer> peers;
  for (const auto& each : parent.hear()) peers.push_back({each["party"], each["url"], each["fingerprint"]});
  node.start_coordinator(peers);
  node.wait_for_peers();
  parent.say({{"ready", true}});
  while (!parent.ended()) continue;
}

inline double seconds_of_process() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Opens all connections by sending several messages to each peer at the same time, as the earlier steps do.
inline void open_connections(Channel& channel) {
  constexpr int kMessages = 8;
  for (int turn = 0; turn < 2; ++turn) {
    for (int peer = 0; peer < kParties; ++peer)
      for (int i = 0; i < kMessages && peer != channel.self(); ++i) channel.send(peer, 7, Bytes(1000));
    for (int peer = 0; peer < kParties; ++peer)
      for (int i = 0; i < kMessages && peer != channel.self(); ++i) channel.receive(peer, 7);
    channel.flush();
  }
}

// The engine of one party: makes one run, in a new channel, whenever the parent asks for it.
inline void lasso_engine(Child& parent, TransportConfig config, const AnalysisRequest& request) {
  config.attempt.fill(0);
  while (!parent.hear()["end"].get<bool>()) {
    CancelToken cancel;
    TransportChannel transport(config, cancel);
    parent.say({{"up", true}});
    parent.hear();
    SealedChannel channel(transport, config.digest, system_rng());
    SessionKeys keys;
    keys.sid = channel.sid();
    for (int peer = 0; peer < kParties; ++peer)
      if (peer != config.self) keys.pair[peer] = channel.pairwise_key(peer, "pg_mpc sharing");
    open_connections(channel);
    AnalysisRequest own = copy_of(request);
    parent.say({{"ready", true}});
    parent.hear();
    const double busy = seconds_of_process();
    const double seconds = seconds_of([&] {
      Session session(channel, 8, std::move(keys), system_rng(), cancel);
      analyse(session, std::move(own), cancel, {});
      channel.flush();
    });
    parent.say({{"seconds", seconds}, {"processor", seconds_of_process() - busy}});
    parent.hear();  // no engine ends its channel before all are done
  }
}

struct LassoTime {
  double seconds = 1e9, processor = 0;  // of the best run; processor time of one engine
};

// A relay to the three URLs. It reads the ports from the relay's "ready PORT ..." and replaces the URLs of the peers.
class Relay {
 public:
  Relay(double delay_ms, std::vector<nlohmann::json>& peers)
      : process_([&](Child& parent) {
          std::vector<std::string> words = {"t/lib/relay", "--delay", std::to_string(delay_ms)};
          for (const auto& peer : peers) words.push_back("0:" + peer["url"].get<std::string>().substr(8));
          std::vector<char*> arguments;
          for (auto& word : words) arguments.push_back(word.data());
          arguments.push_back(nullptr);
          dup2(parent.line(), 0);
          dup2(parent.line(), 1);
          execv(arguments[0], arguments.data());
          throw std::runtime_error("t/lib/relay does not start: run from the top of the repository");
        }) {
    const std::string ready = process_.hear_text();
    std::size_t at = 0;
    for (auto& peer : peers) {
      at = ready.find(' ', at) + 1;
      peer["url"] = "https://127.0.0.1:" + std::to_string(std::stoi(ready.substr(at)));
    }
  }

 private:
  Child process_;
};

// Returns the best of `runs` runs. delay_ms: delay of one direction, in milliseconds.
inline LassoTime lasso_between_processes(const LassoRequests& requests, int runs, double delay_ms) {
  using Json = nlohmann::json;
  std::vector<std::unique_ptr<Child>> listeners, engines;
  std::vector<Json> peers;
  for (int self = 0; self < kParties; ++self)
    listeners.push_back(std::make_unique<Child>([=](Child& parent) { lasso_listener(parent, self); }));
  for (int self = 0; self < kParties; ++self) {
    peers.push_back(listeners[self]->hear());
    peers.back()["party"] = kLassoParties[self];
  }
  std::unique_ptr<Relay> relay;
  if (delay_ms > 0) relay = std::make_unique<Relay>(delay_ms, peers);
  auto all_say = [](auto& children, const Json& message) {
    for (auto& child : children) child->say(message);
  };
  auto all_answer = [](auto& children) {
    for (auto& child : children) child->hear();
  };
  all_say(listeners, peers);
  all_answer(listeners);
  for (int self = 0; self < kParties; ++self) {
    TransportConfig config;
    config.self = self;
    for (int i = 0; i < kParties; ++i) config.peers[i] = {peers[i]["party"], peers[i]["url"], peers[i]["fingerprint"]};
    config.socket_path = peers[self]["socket"];
    config.certificate_file = peers[self]["certificate"];
    config.private_key_file = peers[self]["key"];
    engines.push_back(
        std::make_unique<Child>([&, self, config](Child& parent) { lasso_engine(parent, config, requests[self]); }));
  }
  LassoTime best;
  for (int run = 0; run < runs; ++run) {
    all_say(engines, {{"end", false}});
    all_answer(engines);  // up
    all_say(engines, Json::object());
    all_answer(engines);  // ready
    all_say(engines, Json::object());
    LassoTime time{0, 0};
    for (auto& engine : engines) {
      const Json result = engine->hear();
      time.seconds = std::max(time.seconds, result["seconds"].get<double>());
      time.processor = std::max(time.processor, result["processor"].get<double>());
    }
    all_say(engines, Json::object());
    if (time.seconds < best.seconds) best = time;
  }
  all_say(engines, {{"end", true}});
  return best;
}

}  // namespace pgmpc::bench
