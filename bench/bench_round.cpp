// What: messages of 128 bytes between engines on one machine, against a blocking TLS 1.3 ping-pong on one connection,
//       interleaved in the same run. Values are the median in microseconds.
//       round.loopback          one message and one back: engine A send -> HTTPS -> listener -> engine B receive, and
//                               the reverse (two messages)
//       round.loopback.message  one message until its sender has the 200 that says it was applied
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "../test/unit/net/test_node.h"
#include "report.h"

namespace {
using namespace pgmpc;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kSize = 128;
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

// Two blocking ends of one TLS 1.3 connection with certificates on both sides.
class PingPong {
 public:
  explicit PingPong(const Identity& identity) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    require(bind(listener, raw, size) == 0 && listen(listener, 1) == 0, "listen");
    require(getsockname(listener, raw, &size) == 0, "getsockname");
    echo_ = std::thread([&, listener] {
      auto server = make(identity, TLS_server_method(), accept(listener, nullptr, nullptr));
      require(SSL_accept(server.get()) == 1, "accept");
      char buffer[kSize];
      while (read_all(server.get(), buffer)) SSL_write(server.get(), buffer, kSize);
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
    for (int have = 0; have < static_cast<int>(kSize);) {
      int got = SSL_read(ssl, buffer + have, static_cast<int>(kSize) - have);
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
  for (int i = 0; i < kWarmUp; ++i) {
    ours();
    theirs();
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
    block(theirs, other);
  }
  return {median(mine), median(other)};
}

int run(const bench::Selection& selection) {
  if (!selection.wants("round.loopback")) return 0;
  test::ThreeNodes nodes;
  CancelToken cancel;
  TransportChannel first(nodes.config(0), cancel), second(nodes.config(1), cancel);
  PingPong baseline(*nodes[0].identity());
  const int total = kWarmUp + kBlocks * kRounds;
  std::thread echo([&] {
    for (int i = 0; i < total; ++i) second.send(0, 8, second.receive(0, 8));
    for (int i = 0; i < total; ++i) second.receive(0, 8);
  });
  auto round = [&] {
    first.send(1, 8, Bytes(kSize));
    require(first.receive(1, 8).size() == kSize, "round");
  };
  auto message = [&] {
    first.send(1, 8, Bytes(kSize));
    first.flush();
  };
  auto report = [](const char* name, Medians medians) {
    bench::report(name, medians.ours, "us", {"blocking TLS 1.3 ping-pong", medians.theirs}, bench::Better::less);
  };
  report("round.loopback", interleave(round, [&] { baseline.round(); }));
  first.flush();
  report("round.loopback.message", interleave(message, [&] { baseline.round(); }));
  echo.join();
  return 0;
}
}  // namespace

int main(int argc, char** argv) {
  try {
    return run(bench::Selection(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_round: %s\n", error.what());
    return 1;
  }
}
