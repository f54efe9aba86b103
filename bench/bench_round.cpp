// Measures messages of 128 bytes between engines on one machine, against a blocking TLS 1.3 ping-pong on one
// connection, interleaved in the same run. Values are the median of 5000 in microseconds.
//
// The two ends of the ping-pong stand for two hosts, so each has its own processor. Without that they share one
// processor in some runs and not in others, and take 19 or 55 us. All threads of this project run wherever the kernel
// puts them.
//   round.loopback           one message until its sender has the 200 that says it was applied:
//                            engine -> libcurl -> listener -> engine, and back
//   round.loopback.exchange  one message and one answer to it, from engine to engine (two such messages)
//   round.loopback.hop       a lower bound for the way through a listener: the ping-pong, answered by a third thread
// that
//                            the second one asks over a pair of Unix sockets
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "../test/unit/transport/test_node.h"
#include "report.h"

namespace {
using namespace pgmpc;
using Clock = std::chrono::steady_clock;

constexpr int kSize = 128;
constexpr int kWarmUp = 200, kBlocks = 25, kRounds = 200;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double median(std::vector<double>& values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

// Keeps the calling thread on the first or the last of its processors until the scope ends.
class Pinned {
 public:
  explicit Pinned(bool last) {
    require(sched_getaffinity(0, sizeof before_, &before_) == 0, "sched_getaffinity");
    int chosen = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE && (last || chosen < 0); ++cpu)
      if (CPU_ISSET(cpu, &before_)) chosen = cpu;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    require(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
  }
  ~Pinned() { sched_setaffinity(0, sizeof before_, &before_); }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

 private:
  cpu_set_t before_;
};

// A thread that sends back what it receives over a pair of Unix sockets.
class Hop {
 public:
  Hop() {
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) == 0, "socketpair");
    thread_ = std::thread([this] {
      char buffer[kSize];
      while (recv(ends_[1], buffer, kSize, MSG_WAITALL) == kSize) ::send(ends_[1], buffer, kSize, MSG_NOSIGNAL);
    });
  }
  ~Hop() {
    shutdown(ends_[0], SHUT_RDWR);
    thread_.join();
    for (int end : ends_) ::close(end);
  }
  void round(char* buffer) {
    require(::send(ends_[0], buffer, kSize, MSG_NOSIGNAL) == kSize, "send");
    require(recv(ends_[0], buffer, kSize, MSG_WAITALL) == kSize, "recv");
  }

 private:
  int ends_[2];
  std::thread thread_;
};

// Two blocking ends of one TLS 1.3 connection with certificates on both sides. The second end answers at once, or after
// the hop has answered.
class PingPong {
 public:
  explicit PingPong(const Identity& identity, Hop* hop = nullptr) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    require(bind(listener, raw, size) == 0 && listen(listener, 1) == 0, "listen");
    require(getsockname(listener, raw, &size) == 0, "getsockname");
    echo_ = std::thread([&identity, listener, hop] {
      const Pinned pinned(true);
      auto server = make(identity, TLS_server_method(), accept(listener, nullptr, nullptr));
      require(SSL_accept(server.get()) == 1, "accept");
      char buffer[kSize];
      while (read_all(server.get(), buffer)) {
        if (hop != nullptr) hop->round(buffer);
        SSL_write(server.get(), buffer, kSize);
      }
      ::close(SSL_get_fd(server.get()));
    });
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(connect(fd, raw, size) == 0, "connect");
    client_ = make(identity, TLS_client_method(), fd);
    require(SSL_connect(client_.get()) == 1, "handshake");
    ::close(listener);
  }
  ~PingPong() {
    shutdown(SSL_get_fd(client_.get()), SHUT_RDWR);
    echo_.join();
    ::close(SSL_get_fd(client_.get()));
  }
  void round() {
    char buffer[kSize] = "";
    require(SSL_write(client_.get(), buffer, kSize) == kSize && read_all(client_.get(), buffer), "ping-pong");
  }

 private:
  static OpenSslPtr<SSL> make(const Identity& identity, const SSL_METHOD* method, int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    OpenSslPtr<SSL_CTX> context(SSL_CTX_new(method));
    SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
    SSL_CTX_set_num_tickets(context.get(), 0);
    identity.use_in(context.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    OpenSslPtr<SSL> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), fd);
    return ssl;
  }
  static bool read_all(SSL* ssl, char* buffer) {
    for (int have = 0; have < kSize;) {
      int got = SSL_read(ssl, buffer + have, kSize - have);
      if (got <= 0) return false;
      have += got;
    }
    return true;
  }
  OpenSslPtr<SSL> client_;
  std::thread echo_;
};

struct Medians {
  double ours, theirs;
};

Medians interleave(const std::function<void()>& ours, const std::function<void()>& theirs) {
  for (int i = 0; i < kWarmUp; ++i) ours();
  {
    const Pinned pinned(false);
    for (int i = 0; i < kWarmUp; ++i) theirs();
  }
  std::vector<double> mine, other;
  auto block = [](const std::function<void()>& body, std::vector<double>& times) {
    for (int i = 0; i < kRounds; ++i) {
      auto start = Clock::now();
      body();
      times.push_back(microseconds_since(start));
    }
  };
  for (int i = 0; i < kBlocks; ++i) {
    block(ours, mine);
    const Pinned pinned(false);
    block(theirs, other);
  }
  return {median(mine), median(other)};
}

void run(const bench::Selection& selection) {
  if (!selection.wants("round.loopback")) return;
  test::ThreeNodes nodes;
  CancelToken cancel;
  TransportChannel first(nodes.config(0), cancel), second(nodes.config(1), cancel);
  Hop hop;
  PingPong baseline(*nodes[0].identity()), behind_hop(*nodes[0].identity(), &hop);
  const int total = kWarmUp + kBlocks * kRounds;
  std::thread echo([&] {
    for (int i = 0; i < total; ++i) second.send(0, 8, second.receive(0, 8));
    for (int i = 0; i < total; ++i) second.receive(0, 8);
  });
  auto exchange = [&] {
    first.send(1, 8, Bytes(kSize));
    require(first.receive(1, 8).size() == kSize, "exchange");
  };
  auto message = [&] {
    first.send(1, 8, Bytes(kSize));
    first.flush();
  };
  auto report = [](const char* name, Medians medians) {
    bench::report(name, medians.ours, "us", {"blocking TLS 1.3 ping-pong", medians.theirs}, bench::Better::less);
  };
  auto ping_pong = [&] { baseline.round(); };
  report("round.loopback.exchange", interleave(exchange, ping_pong));
  first.flush();
  report("round.loopback", interleave(message, ping_pong));
  auto behind = [&] { behind_hop.round(); };
  report("round.loopback.hop", interleave(behind, ping_pong));
  echo.join();
}
}  // namespace

int main(int argc, char** argv) { return pgmpc::bench::run_selected("bench_round", argc, argv, run); }
