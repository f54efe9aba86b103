// Whose certificate is accepted, what both sides are told about one that is not, and how certificates are changed while
// nodes run.
#include <gtest/gtest.h>

#include <mutex>

#include "base/error.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "support/loop_thread.h"
#include "support/test_certificates.h"

namespace pgmpc {
namespace {
using std::chrono::seconds;

std::shared_ptr<const Identity> load(const test::TestCertificate& certificate) {
  return Identity::load(certificate.certificate_file, certificate.key_file);
}
std::string fingerprint_of(const test::TestCertificate& certificate) {
  return load(certificate)->certificate().fingerprint;
}

class CertificatePolicyTest : public ::testing::Test {
 protected:
  void TearDown() override {
    thread_.call([&] {
      client_.reset();
      server_.reset();
    });
  }
  void start_server(const test::TestCertificate& certificate, const TrustStore& trust = nullptr) {
    auto identity = load(certificate);
    peer_.fingerprint = identity->certificate().fingerprint;
    thread_.call([&] {
      HttpServerConfig config;
      config.addresses = {"127.0.0.1"};
      server_ = std::make_unique<HttpServer>(thread_.loop(), config, identity, trust, [this](const std::string& line) {
        std::lock_guard lock(log_mutex_);
        log_ += line + "\n";
      });
      server_->set_handler([](Request, Responder responder) { responder.respond(200); });
      peer_.url = "https://127.0.0.1:" + std::to_string(server_->port());
    });
  }
  void pin(const std::vector<test::TestCertificate>& certificates) {
    PinnedPeers pins;
    for (const auto& certificate : certificates) pins[fingerprint_of(certificate)] = "erasmus_mc";
    thread_.call([&] { server_->set_peers(pins); });
  }
  void start_client(const test::TestCertificate& certificate, const TrustStore& trust = nullptr) {
    auto identity = load(certificate);
    thread_.call([&] { client_ = std::make_unique<HttpClient>(thread_.loop(), identity, trust, 4); });
  }
  HttpResult get() {
    auto result = std::make_shared<std::promise<HttpResult>>();
    auto future = result->get_future();
    thread_.call([&] {
      client_->get(peer_, "/v1/ping", seconds(20),
                   [result](HttpResult answer) { result->set_value(std::move(answer)); });
    });
    return future.get();
  }
  // The alert that a client gets which does not look at its own certificate.
  std::string alert_for(const test::TestCertificate& certificate) {
    OpenSslPtr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
    load(certificate)->use_in(context.get());
    OpenSslPtr<BIO> connection(BIO_new_ssl_connect(context.get()));
    BIO_set_conn_hostname(connection.get(), peer_.url.substr(8).c_str());
    char byte;
    if (BIO_do_connect(connection.get()) == 1) BIO_read(connection.get(), &byte, 1);
    std::string cause = openssl_cause();
    std::size_t at = cause.find("alert ");
    return at == std::string::npos ? cause : cause.substr(at + 6);
  }
  // On the loop's thread: the handler that sent an alert has then written its line too.
  bool logged(const std::string& text) {
    return thread_.call([&] {
      std::lock_guard lock(log_mutex_);
      return log_.find(text) != std::string::npos;
    });
  }

  test::TemporaryDirectory directory_;
  test::TestCertificate node_ = test::make_certificate(directory_, "node");
  test::TestCertificate erasmus_ = test::make_certificate(directory_, "erasmus_mc");
  Peer peer_{"zorgttp", "", ""};
  std::mutex log_mutex_;
  std::string log_;
  test::LoopThread thread_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(CertificatePolicyTest, UnknownClientIsToldAndLogged) {
  start_server(node_);
  pin({erasmus_});
  auto stranger = test::make_certificate(directory_, "stranger");
  start_client(stranger);
  HttpResult result = get();
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.error_cause,
            "peer zorgttp refused our certificate: it does not know the fingerprint " + fingerprint_of(stranger));
  EXPECT_TRUE(logged("certificate fingerprint " + fingerprint_of(stranger) + " is not known"));
}

TEST_F(CertificatePolicyTest, ClientCertificateDatesAndUsage) {
  struct Case {
    test::CertificateOptions options;
    std::string cause, alert;
  };
  std::time_t now = std::time(nullptr);
  const std::vector<Case> cases{
      {{1000000000, 1600000000, ""}, "peer erasmus_mc: certificate expired on 2020-09-13", "certificate expired"},
      {{4000000000, 4100000000, ""}, "peer erasmus_mc: certificate is not valid before 2096-10-02", "bad certificate"},
      {{now - 10, now + 1000, "serverAuth"},
       "peer erasmus_mc: certificate key usage does not allow TLS clients",
       "unsupported certificate"}};
  start_server(node_);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    auto certificate = test::make_certificate(directory_, "client" + std::to_string(i), cases[i].options);
    pin({certificate});
    EXPECT_EQ(alert_for(certificate), cases[i].alert);
    EXPECT_TRUE(logged(cases[i].cause)) << log_;
    // A node looks at its own certificate first: it does not even connect.
    start_client(certificate);
    EXPECT_EQ(get().error_cause, "peer zorgttp: not connected, because this node's own " + cases[i].cause.substr(17));
  }
}

TEST_F(CertificatePolicyTest, TwoCertificatesCountWhileAPeerChangesIts) {
  auto next_node = test::make_certificate(directory_, "next_node"), next = test::make_certificate(directory_, "next");
  auto third = test::make_certificate(directory_, "third");
  start_server(node_);
  pin({erasmus_, next});
  peer_.next_fingerprint = fingerprint_of(next_node);
  start_client(erasmus_);
  EXPECT_EQ(get().status, 200);
  std::size_t before = thread_.call([&] { return server_->connections(); });
  thread_.call([&] { server_->set_identity(load(next_node), nullptr); });
  EXPECT_EQ(get().status, 200);  // the open connection goes on
  EXPECT_EQ(thread_.call([&] { return server_->connections(); }), before);
  start_client(erasmus_);
  EXPECT_EQ(get().status, 200);  // a new one meets the next certificate
  start_client(next);
  EXPECT_EQ(get().status, 200);
  pin({next});  // the change is over
  start_client(erasmus_);
  EXPECT_EQ(get().status, 0);
  thread_.call([&] { server_->set_identity(load(third), nullptr); });
  start_client(next);
  HttpResult result = get();
  EXPECT_NE(result.error_cause.find("this node knows " + peer_.fingerprint + " and " + peer_.next_fingerprint),
            std::string::npos)
      << result.error_cause;
}

TEST_F(CertificatePolicyTest, ACaFileIsAnAdditionalCondition) {
  auto authority = test::make_certificate(directory_, "authority", {.authority = true});
  auto other = test::make_certificate(directory_, "other", {.authority = true});
  auto signed_one = test::make_certificate(directory_, "signed", {.issuer = &authority, .serial = 2});
  start_server(node_, load_trust_store(authority.certificate_file, ""));
  pin({erasmus_, signed_one});
  start_client(signed_one);
  EXPECT_EQ(get().status, 200);
  start_client(erasmus_);  // pinned, but self-signed
  EXPECT_EQ(get().error_cause, "peer zorgttp refused our certificate: its server log has the reason");
  EXPECT_TRUE(logged("peer erasmus_mc: certificate does not satisfy ca_file"));
  start_client(signed_one, load_trust_store(other.certificate_file, ""));
  EXPECT_NE(get().error_cause.find("peer zorgttp: certificate does not satisfy ca_file"), std::string::npos);
}

TEST_F(CertificatePolicyTest, ARevokedCertificateIsRefusedAndItsConnectionsClosed) {
  auto authority = test::make_certificate(directory_, "authority", {.authority = true});
  auto good = test::make_certificate(directory_, "good", {.issuer = &authority, .serial = 2});
  auto bad = test::make_certificate(directory_, "bad", {.issuer = &authority, .serial = 3});
  const std::string none = test::make_revocation_list(directory_, "none.crl", authority, {});
  const std::string list = test::make_revocation_list(directory_, "list.crl", authority, {3});
  start_server(node_, load_trust_store(authority.certificate_file, none));
  pin({good, bad});
  start_client(bad);
  EXPECT_EQ(get().status, 200);
  thread_.call([&] { server_->set_identity(load(node_), load_trust_store(authority.certificate_file, list)); });
  EXPECT_EQ(thread_.call([&] { return server_->connections(); }), 0u);
  EXPECT_TRUE(logged("closed connection of peer erasmus_mc")) << log_;
  EXPECT_EQ(get().error_cause, "peer zorgttp refused our certificate: revoked");
  EXPECT_TRUE(logged("peer erasmus_mc: certificate is revoked by crl_file")) << log_;
  start_client(good);
  EXPECT_EQ(get().status, 200);
  // A list that is out of date proves nothing.
  const std::string old = test::make_revocation_list(directory_, "old.crl", authority, {}, std::time(nullptr) - 3600);
  thread_.call([&] { server_->set_identity(load(node_), load_trust_store(authority.certificate_file, old)); });
  EXPECT_EQ(get().status, 0);
  EXPECT_TRUE(logged("certificate does not satisfy crl_file: CRL has expired")) << log_;
}

TEST_F(CertificatePolicyTest, ARevocationListNeedsItsAuthority) {
  auto authority = test::make_certificate(directory_, "authority", {.authority = true});
  const std::string list = test::make_revocation_list(directory_, "list.crl", authority, {3});
  EXPECT_THROW(load_trust_store("", list), Error);
  EXPECT_THROW(load_trust_store(authority.certificate_file, directory_.file("absent")), Error);
}

}  // namespace
}  // namespace pgmpc
