// Server and client over loopback: which connections are accepted, what is answered, and what is logged.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <mutex>

#include "base/error.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "support/loop_thread.h"
#include "support/test_certificates.h"

namespace pgmpc {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;

// libcurl reads SSLKEYLOGFILE once, when it is initialised, so it is set before any test runs.
const struct KeyLog {
  KeyLog() { setenv("SSLKEYLOGFILE", path.c_str(), 1); }
  test::TemporaryDirectory directory;
  std::string path = directory.file("keylog");
} key_log;

class HttpsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_certificate_ = test::make_certificate(directory_, "node");
    client_certificate_ = test::make_certificate(directory_, "erasmus_mc");
  }
  void TearDown() override {
    thread_.call([&] {
      client_.reset();
      server_.reset();
    });
  }

  static std::shared_ptr<const Identity> load(const test::TestCertificate& certificate) {
    return Identity::load(certificate.certificate_file, certificate.key_file);
  }

  void start_server(HttpServerConfig config = {}) {
    auto identity = load(server_certificate_);
    fingerprint_ = identity->certificate().fingerprint;
    config.addresses = {"127.0.0.1"};
    config.port = port_;
    thread_.call([&] {
      server_ =
          std::make_unique<HttpServer>(thread_.loop(), config, identity, nullptr, [this](const std::string& line) {
            std::lock_guard lock(log_mutex_);
            log_ += line + "\n";
          });
      server_->set_handler([this](Request request, Responder responder) {
        requests_.emplace_back(responder);
        if (request.path == "/later") return;
        if (request.path == "/lost") return requests_.clear();
        std::string text = request.party + " " + request.path + " ";
        Bytes answer(text.begin(), text.end());
        answer.insert(answer.end(), request.body.begin(), request.body.end());
        responder.respond(200, std::move(answer));
      });
      port_ = server_->port();
    });
    pin(client_certificate_);
  }
  void pin(const test::TestCertificate& certificate) {
    std::string fingerprint = load(certificate)->certificate().fingerprint;
    thread_.call([&] { server_->set_peers({{fingerprint, "erasmus_mc"}}); });
  }
  void start_client(const test::TestCertificate& certificate, std::size_t limit = 16u << 20) {
    auto identity = load(certificate);
    thread_.call([&] { client_ = std::make_unique<HttpClient>(thread_.loop(), identity, nullptr, 4, limit); });
  }
  Peer peer() const { return {"zorgttp", "https://127.0.0.1:" + std::to_string(port_) + "/", fingerprint_}; }

  HttpResult post(const std::string& path, Bytes body, milliseconds timeout = seconds(20)) {
    return post_to(peer(), path, std::move(body), timeout);
  }
  HttpResult post_to(const Peer& peer, const std::string& path, Bytes body, milliseconds timeout = seconds(20)) {
    auto result = std::make_shared<std::promise<HttpResult>>();
    auto future = result->get_future();
    thread_.call([&] {
      client_->post(peer, path, std::move(body), timeout,
                    [result](HttpResult answer) { result->set_value(std::move(answer)); });
    });
    return future.get();
  }
  std::string log() {
    std::lock_guard lock(log_mutex_);
    return log_;
  }
  sockaddr_in server_address() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  // A plain TCP connection to the server.
  int connect_raw() {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = server_address();
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  // The same without waiting for it, and with the first bytes of a TLS hello or nothing.
  int flood_with(bool hello) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address = server_address();
    connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const char bytes[] = {22, 3, 1, 0x3e, static_cast<char>(0x84), 1, 0, 0x3e, static_cast<char>(0x80), 3, 3};
    if (hello) send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
    return fd;
  }
  // Whether the server closes the connection within 5 s.
  static bool closed_by_server(int fd) {
    pollfd set{fd, POLLIN, 0};
    char byte;
    return poll(&set, 1, 5000) == 1 && recv(fd, &byte, 1, 0) <= 0;
  }

  test::TemporaryDirectory directory_;
  test::TestCertificate server_certificate_, client_certificate_;
  std::string fingerprint_;
  int port_ = 0;
  std::mutex log_mutex_;
  std::string log_;
  std::vector<Responder> requests_;
  test::LoopThread thread_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

std::string text_of(const Bytes& bytes) { return std::string(bytes.begin(), bytes.end()); }

TEST_F(HttpsTest, AnswersWithTheAuthenticatedParty) {
  start_server();
  start_client(client_certificate_);
  for (int i = 0; i < 50; ++i) {
    HttpResult result = post("/v1/x", Bytes{'h', 'i'});
    ASSERT_EQ(result.status, 200) << result.error_cause << log();
    EXPECT_EQ(text_of(result.body), "erasmus_mc /v1/x hi");
  }
  EXPECT_EQ(thread_.call([&] { return server_->connections(); }), 1u);
}

// The lost wake-up: data that waits inside OpenSSL while the socket has none.
TEST_F(HttpsTest, LargeBodiesInBothDirections) {
  start_server();
  start_client(client_certificate_);
  Bytes body(12u << 20);
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<std::uint8_t>(i * 7 + (i >> 13));
  for (int i = 0; i < 3; ++i) {
    HttpResult result = post("/v1/x", body);
    ASSERT_EQ(result.status, 200) << result.error_cause;
    ASSERT_EQ(result.body.size(), body.size() + 17);
    EXPECT_TRUE(std::equal(body.begin(), body.end(), result.body.begin() + 17));
  }
}

// Idle connections stay watched: neither their end nor the resolver's descriptors, which take the numbers of closed
// ones, may disturb the next request.
TEST_F(HttpsTest, HostNameAndConnectionsThatEndWhileIdle) {
  start_server();
  start_client(client_certificate_);
  Peer named = peer();
  named.url = "https://localhost:" + std::to_string(port_);
  for (int i = 0; i < 10; ++i) {
    HttpResult result = post_to(named, "/v1/x", Bytes(100));
    ASSERT_EQ(result.status, 200) << result.error_cause << log();
    thread_.call([&] { server_->set_peers({}); });  // closes what is open
    ASSERT_EQ(thread_.call([&] { return server_->connections(); }), 0u);
    pin(client_certificate_);
    if (i % 2 == 0) continue;
    ASSERT_EQ(post("/v1/x", Bytes(100)).status, 200);  // another link with descriptors of its own
  }
}

// libcurl closes the socket of a connection that never came about without telling: its number comes back.
TEST_F(HttpsTest, AConnectionThatNeverCameAboutLeavesNothing) {
  start_server();
  start_client(client_certificate_);
  thread_.call([&] { server_.reset(); });
  const sockaddr_in address = server_address();
  auto nonblocking = [] { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); };
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  const auto lowest_free = [&] { return dup(nothing); };
  std::vector<int> room, sockets = {nonblocking()};
  for (int i = 0; i < 16; ++i) room.push_back(lowest_free());
  const int on = 1;
  setsockopt(sockets[0], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ASSERT_EQ(bind(sockets[0], reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(sockets[0], 0), 0);
  // Until its queue is full: from then on nobody is answered.
  for (bool full = false; !full;) {
    sockets.push_back(nonblocking());
    connect(sockets.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    pollfd ready{sockets.back(), POLLOUT, 0};
    full = poll(&ready, 1, 100) == 0;
  }
  for (int i = 0; i < 2; ++i)  // the first one makes what stays
    EXPECT_NE(post("/echo", {}, milliseconds(200)).error_cause.find("in time"), std::string::npos);
  const int number = lowest_free();  // that of the connection
  close(number);
  for (int fd : sockets) dup2(nothing, fd);
  for (int fd : room) close(fd);
  start_server();
  while (true) {
    const int fd = lowest_free();
    ASSERT_LE(fd, number) << "the server has taken it";
    if (fd == number) break;
    sockets.push_back(fd);
  }
  close(number);
  EXPECT_EQ(post("/echo", {}, seconds(5)).status, 200);
  for (int fd : sockets) close(fd);
  close(nothing);
}

TEST_F(HttpsTest, BodyAboveTheLimitIsRefused) {
  HttpServerConfig config;
  config.body_limit = 1000;
  start_server(config);
  start_client(client_certificate_);
  EXPECT_EQ(post("/v1/x", Bytes(1000)).status, 200);
  EXPECT_EQ(post("/v1/x", Bytes(1001)).status, 413);
  EXPECT_EQ(post("/v1/x", Bytes(1000)).status, 200);
}

TEST_F(HttpsTest, AnswerAboveTheLimitIsAnError) {
  start_server();
  start_client(client_certificate_, 1000);
  HttpResult result = post("/v1/x", Bytes(1000));
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.error_cause, "peer zorgttp: answer is longer than allowed");
}

TEST_F(HttpsTest, DeferredAnswers) {
  start_server();
  start_client(client_certificate_);
  auto result = std::make_shared<std::promise<HttpResult>>();
  thread_.call([&] {
    client_->get(peer(), "/later", seconds(20), [result](HttpResult answer) { result->set_value(std::move(answer)); });
  });
  EXPECT_EQ(post("/v1/x", {}).status, 200);  // another connection meanwhile
  thread_.call([&] { requests_.at(0).respond_json(200, "{}"); });
  EXPECT_EQ(text_of(result->get_future().get().body), "{}");
  EXPECT_EQ(post("/lost", {}).status, 500);
  HttpResult late = post("/later", {}, milliseconds(100));
  EXPECT_EQ(late.status, 0);
  EXPECT_NE(late.error_cause.find("in time"), std::string::npos) << late.error_cause;
  thread_.call([&] { requests_.back().respond(200); });  // the client has gone: no effect
}

TEST_F(HttpsTest, ServerCertificateIsPinnedAndChecked) {
  start_server();
  start_client(client_certificate_);
  Peer other = peer();
  other.fingerprint = std::string(64, 'a');
  HttpResult result = post_to(other, "/v1/x", {});
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.error_cause.find("peer zorgttp: certificate fingerprint differs"), std::string::npos)
      << result.error_cause;
  // The other pin must not have reused or spoilt anything.
  EXPECT_EQ(post("/v1/x", {}).status, 200);

  thread_.call([&] { server_.reset(); });
  server_certificate_ = test::make_certificate(directory_, "old", {1000000000, 1600000000, ""});
  start_server();
  result = post("/v1/x", {});
  EXPECT_EQ(result.error_cause, "peer zorgttp: certificate expired on 2020-09-13");
}

TEST_F(HttpsTest, ErrorCausesNameTheReason) {
  start_client(client_certificate_);
  HttpResult result = post_to({"zorgttp", "https://127.0.0.1:1", std::string(64, 'a')}, "/v1/x", {});
  EXPECT_EQ(result.error_cause, "peer zorgttp: connection refused at https://127.0.0.1:1");
  result = post_to({"zorgttp", "http://127.0.0.1:1", std::string(64, 'a')}, "/v1/x", {});
  EXPECT_EQ(result.error_cause, "peer zorgttp: url http://127.0.0.1:1 is not a valid https url");
}

// Handshakes made with OpenSSL calls: without certificate, and with an old protocol version.
TEST_F(HttpsTest, NoCertificateAndTls12AreRefused) {
  start_server();
  for (bool old : {false, true}) {
    OpenSslPtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
    if (old) {
      SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
      load(client_certificate_)->use_in(context.get());
    }
    int fd = connect_raw();
    OpenSslPtr<SSL> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), fd);
    char byte;
    // In TLS 1.3 the client learns of the refusal only when it reads.
    EXPECT_FALSE(SSL_connect(ssl.get()) == 1 && SSL_read(ssl.get(), &byte, 1) > 0);
    EXPECT_TRUE(closed_by_server(fd));
    ::close(fd);
    ERR_clear_error();
  }
  EXPECT_NE(log().find("peer did not return a certificate"), std::string::npos) << log();
  EXPECT_NE(log().find("unsupported protocol"), std::string::npos) << log();
}

TEST_F(HttpsTest, IdleUnauthenticatedConnectionsAreClosedAndPeersConnect) {
  HttpServerConfig config;
  config.max_unauthenticated = 8;
  config.handshake_deadline = milliseconds(300);
  start_server(config);
  start_client(client_certificate_);
  std::vector<int> connections;
  for (int i = 0; i < 12; ++i) connections.push_back(connect_raw());
  EXPECT_EQ(post("/v1/x", {}).status, 200);
  for (int fd : connections) {
    EXPECT_TRUE(closed_by_server(fd));
    ::close(fd);
  }
  EXPECT_NE(log().find("no TLS handshake in time"), std::string::npos) << log();
}

// A TLS object is made only after the first record has arrived. When there are too many unfinished handshakes, only
// handshakes are closed. An unfinished ClientHello in complete records counts as a handshake.
TEST_F(HttpsTest, UnfinishedHandshakesHaveTheirOwnLimit) {
  HttpServerConfig config;
  config.max_handshakes = 4;
  start_server(config);
  start_client(client_certificate_);
  const std::string record{22, 3, 1, 0, 5, 1, 0, 0x20, 3, 3};  // the first 5 bytes of a message of 8196
  std::vector<int> dripping, unfinished;
  for (int i = 0; i < 6; ++i) {
    dripping.push_back(connect_raw());
    ASSERT_EQ(send(dripping.back(), record.data(), record.size() - 1, 0), 9);
    unfinished.push_back(connect_raw());
    ASSERT_EQ(send(unfinished.back(), record.data(), record.size(), 0), 10);
  }
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(closed_by_server(unfinished[static_cast<std::size_t>(i)])) << i;
  EXPECT_EQ(post("/v1/x", {}).status, 200);
  EXPECT_TRUE(closed_by_server(unfinished[2]));
  EXPECT_EQ(thread_.call([&] { return server_->connections(); }), 6u + 3u + 1u);
  EXPECT_NE(log().find("too many unfinished TLS handshakes"), std::string::npos) << log();
  for (int fd : dripping) ::close(fd);
  for (int fd : unfinished) ::close(fd);
}

// Clients that reconnect as soon as they are closed, silent or with the first bytes of a ClientHello. Each new
// connection of a peer succeeds at the first attempt.
TEST_F(HttpsTest, PeersConnectDuringAFloodOfUnauthenticatedConnections) {
  HttpServerConfig config;
  config.max_unauthenticated = 16;
  start_server(config);
  std::atomic<bool> over{false};
  std::atomic<int> closed{0};
  std::thread flood([&] {
    std::vector<pollfd> connections(300);
    for (std::size_t i = 0; i < connections.size(); ++i) connections[i] = {flood_with(i % 2 == 0), POLLIN, 0};
    while (!over) {
      poll(connections.data(), connections.size(), 10);
      for (std::size_t i = 0; i < connections.size(); ++i) {
        if (connections[i].revents == 0) continue;
        ::close(connections[i].fd);
        connections[i].fd = flood_with(i % 2 == 0);
        ++closed;
      }
    }
    for (const auto& each : connections) ::close(each.fd);
  });
  while (closed < 1000) std::this_thread::yield();
  for (int i = 0; i < 50; ++i) {
    start_client(client_certificate_);  // a new connection each
    EXPECT_EQ(post("/v1/x", {}, milliseconds(5000)).status, 200);
  }
  over = true;
  flood.join();
}

TEST_F(HttpsTest, HalfARequestEndsAtItsDeadlineAndRefusalIsReadable) {
  HttpServerConfig config;
  config.header_deadline = config.progress_deadline = milliseconds(200);
  start_server(config);
  for (const char* text : {"GET /v1/pi", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx", "BAD\r\n\r\n"}) {
    OpenSslPtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
    load(client_certificate_)->use_in(context.get());
    int fd = connect_raw();
    OpenSslPtr<SSL> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), fd);
    ASSERT_EQ(SSL_connect(ssl.get()), 1);
    ASSERT_GT(SSL_write(ssl.get(), text, static_cast<int>(strlen(text))), 0);
    char answer[64] = "";
    int got = SSL_read(ssl.get(), answer, sizeof answer - 1);
    if (text[0] == 'B')
      EXPECT_EQ(std::string(answer).substr(0, 12), "HTTP/1.1 400");
    else
      EXPECT_LE(got, 0) << answer;
    ::close(fd);
    ERR_clear_error();
  }
  EXPECT_TRUE(requests_.empty());
}

// Bodies that no engine takes: the peer waits, at a bounded cost, and continues when memory is free again.
TEST_F(HttpsTest, APeerWhoseMessagesAreNotTakenWaits) {
  HttpServerConfig config;
  config.body_budget = 1000000;
  start_server(config);
  start_client(client_certificate_);
  std::vector<BodyBudget::Hold> holds;
  std::atomic<int> arrived{0}, answered{0};
  thread_.call([&] {
    server_->set_handler([&](Request request, Responder responder) {
      holds.push_back(std::move(request.hold));
      ++arrived;
      responder.respond(200);
    });
    for (int i = 0; i < 4; ++i)
      client_->post(peer(), "/v1/x", Bytes(400000), seconds(20),
                    [&](HttpResult result) { answered += result.status == 200; });
  });
  auto within = std::chrono::steady_clock::now() + seconds(10);
  while (arrived < 2 && std::chrono::steady_clock::now() < within) std::this_thread::yield();
  ASSERT_EQ(arrived, 2);
  // Small messages need little room: they pass meanwhile, and by then a third large one would have arrived.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(post("/v1/x", Bytes(100)).status, 200);
  EXPECT_EQ(arrived, 22);
  EXPECT_LE(thread_.call([&] { return server_->buffered("erasmus_mc"); }), 1000000u);
  thread_.call([&] { holds.clear(); });
  while (answered < 4 && std::chrono::steady_clock::now() < within) std::this_thread::yield();
  EXPECT_EQ(answered, 4);
  thread_.call([&] { holds.clear(); });
  EXPECT_EQ(thread_.call([&] { return server_->buffered("erasmus_mc"); }), 0u);
}

TEST_F(HttpsTest, APeerThatIsNeverLetInIsClosedAndLogged) {
  HttpServerConfig config;
  config.body_budget = 1000;
  config.progress_deadline = milliseconds(200);
  start_server(config);
  start_client(client_certificate_);
  BodyBudget::Hold hold;
  thread_.call([&] {
    server_->set_handler([&](Request request, Responder responder) {
      hold = std::move(request.hold);
      responder.respond(200);
    });
  });
  EXPECT_EQ(post("/v1/x", Bytes(400000)).status, 200);  // one body always fits
  EXPECT_EQ(post("/v1/x", Bytes(400000)).status, 0);
  EXPECT_NE(log().find("no memory for its messages in time"), std::string::npos) << log();
  thread_.call([&] { hold.reset(); });
  EXPECT_EQ(post("/v1/x", Bytes(400000)).status, 200);
  thread_.call([&] { hold.reset(); });
}

TEST_F(HttpsTest, UnpinnedPeerLosesItsConnections) {
  start_server();
  start_client(client_certificate_);
  EXPECT_EQ(post("/v1/x", {}).status, 200);
  thread_.call([&] { server_->set_peers({}); });
  EXPECT_EQ(thread_.call([&] { return server_->connections(); }), 0u);
  EXPECT_EQ(post("/v1/x", {}).status, 0);
}

// F10: nothing that survives may decrypt a recording.
TEST_F(HttpsTest, NoTicketsAndNoKeyLog) {
  start_server();
  start_client(client_certificate_);
  EXPECT_EQ(post("/v1/x", {}).status, 200);
  ASSERT_TRUE(std::filesystem::exists(key_log.path));  // libcurl has noticed the variable
  EXPECT_EQ(std::filesystem::file_size(key_log.path), 0u);

  OpenSslPtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  static int tickets;
  tickets = 0;
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(context.get(), [](SSL*, SSL_SESSION*) { return ++tickets, 0; });
  load(client_certificate_)->use_in(context.get());
  int fd = connect_raw();
  OpenSslPtr<SSL> ssl(SSL_new(context.get()));
  SSL_set_fd(ssl.get(), fd);
  ASSERT_EQ(SSL_connect(ssl.get()), 1);
  std::string get = "GET /v1/x HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_GT(SSL_write(ssl.get(), get.data(), static_cast<int>(get.size())), 0);
  char answer[4096];
  EXPECT_GT(SSL_read(ssl.get(), answer, sizeof answer), 0);
  EXPECT_EQ(tickets, 0);
  ::close(fd);
}

// A write to a client that has gone must fail, not raise SIGPIPE (which would end this process).
TEST(TlsServer, ClientThatHasGoneRaisesNoSignal) {
  test::TemporaryDirectory directory;
  auto certificate = test::make_certificate(directory, "node");
  TlsServer server(Identity::load(certificate.certificate_file, certificate.key_file), nullptr);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  const std::uint8_t record[] = {22, 3, 1, 0, 5, 1, 0, 0, 1, 0};  // malformed: answered with an alert
  ASSERT_EQ(::send(pair[1], record, sizeof record, 0), static_cast<ssize_t>(sizeof record));
  ::close(pair[1]);
  PeerCheck check;
  auto ssl = server.accept(pair[0], check);
  EXPECT_NE(SSL_do_handshake(ssl.get()), 1);
  ssl.reset();
  ::close(pair[0]);
  ERR_clear_error();
}

TEST_F(HttpsTest, PortInUseIsAnError) {
  start_server();
  auto identity = load(server_certificate_);
  thread_.call([&] {
    HttpServerConfig config;
    config.addresses = {"127.0.0.1"};
    config.port = port_;
    EXPECT_THROW(HttpServer(thread_.loop(), config, identity, nullptr, nullptr), Error);
  });
}

TEST_F(HttpsTest, ListensAtTheAddressesThatWork) {
  auto identity = load(server_certificate_);
  thread_.call([&] {
    HttpServerConfig config;
    config.addresses = {"no-such-host.invalid", "127.0.0.1", "127.0.0.1"};  // one is named twice
    HttpServer server(thread_.loop(), config, identity, nullptr, nullptr);
    EXPECT_GT(server.port(), 0);
    ASSERT_EQ(server.address_problems().size(), 1u);
    EXPECT_NE(server.address_problems()[0].find("address \"no-such-host.invalid\": "), std::string::npos);
  });
}

// Nobody is refused for want of a list: whoever comes before it waits for it.
TEST_F(HttpsTest, WithoutAListOfPeersNobodyIsAcceptedOrRefused) {
  auto identity = load(server_certificate_);
  fingerprint_ = identity->certificate().fingerprint;
  thread_.call([&] {
    HttpServerConfig config;
    config.addresses = {"127.0.0.1"};
    server_ = std::make_unique<HttpServer>(thread_.loop(), config, identity, nullptr, nullptr);
    server_->set_handler([](Request, Responder responder) { responder.respond(200, {}); });
    port_ = server_->port();
  });
  start_client(client_certificate_);
  std::promise<HttpResult> answered;
  thread_.call([&] {
    client_->post(peer(), "/v1/x", Bytes{'h'}, seconds(20),
                  [&](HttpResult result) { answered.set_value(std::move(result)); });
  });
  int raw = connect_raw();  // it is queued behind the client
  EXPECT_EQ(thread_.call([&] { return server_->connections(); }), 0u);
  pin(client_certificate_);
  HttpResult result = answered.get_future().get();
  EXPECT_EQ(result.status, 200) << result.error_cause;
  ::close(raw);
}

TEST(Identity, ErrorsNameTheFileAndTheCause) {
  test::TemporaryDirectory directory;
  auto one = test::make_certificate(directory, "one"), two = test::make_certificate(directory, "two");
  auto detail = [](const std::string& certificate, const std::string& key) -> std::string {
    try {
      Identity::load(certificate, key);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::configuration);
      return error.message() + ": " + error.detail();
    }
    return "loaded";
  };
  EXPECT_EQ(detail(one.certificate_file, one.key_file), "loaded");
  EXPECT_NE(detail(one.certificate_file, two.key_file).find("does not belong to certificate"), std::string::npos);
  EXPECT_NE(detail(directory.file("none"), one.key_file).find("No such file"), std::string::npos);
  EXPECT_NE(detail(one.key_file, one.key_file).find("could not load certificate file"), std::string::npos);
  chmod(one.key_file.c_str(), 0644);
  EXPECT_NE(detail(one.certificate_file, one.key_file).find("group or world access"), std::string::npos);
}

}  // namespace
}  // namespace pgmpc
