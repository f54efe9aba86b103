// What: the network side of three nodes in one process: each with certificate, listener (HTTPS server and router on a
//       thread of its own) and a coordinator that only announces the peers and answers control messages with their
//       echo. Engines are TransportChannels made by the tests.
#pragma once
#include <array>
#include <nlohmann/json.hpp>

#include "../support/test_certificates.h"
#include "support/loop_thread.h"
#include "transport/router.h"
#include "transport/transport_channel.h"

namespace pgmpc::test {

class TestNode {
 public:
  explicit TestNode(std::string party) : party_(std::move(party)) {
    certificate_ = make_certificate(directory_, party_);
    identity_ = Identity::load(certificate_.certificate_file, certificate_.key_file);
    start_listener();
  }
  ~TestNode() {
    stop_listener();
    stop_coordinator();
  }

  void start_listener() {
    thread_.call([&] {
      HttpServerConfig config;
      config.addresses = {"127.0.0.1"};
      config.port = port_;
      server_ = std::make_unique<HttpServer>(thread_.loop(), config, identity_, nullptr, [](const std::string&) {});
      port_ = server_->port();
      RouterConfig routes;
      routes.directory = directory_.path();
      routes.party = party_;
      routes.version = "1.2.3";
      routes.reconnect_delay = std::chrono::milliseconds(10);
      router_ = std::make_unique<Router>(thread_.loop(), *server_, routes);
    });
  }
  void stop_listener() {
    thread_.call([&] {
      router_.reset();
      server_.reset();
    });
  }
  void start_coordinator(std::vector<Peer> peers) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& peer : peers) list.push_back({{"party", peer.party}, {"fingerprint", peer.fingerprint}});
    std::string announcement = nlohmann::json{{"op", "peers"}, {"peers", list}}.dump();
    thread_.call([&] {
      LocalServer::Handlers handlers;
      handlers.on_frame = [this, announcement](LocalServer::ConnectionId id, Bytes frame) {
        auto message = nlohmann::json::parse(frame.begin(), frame.end());
        const bool listener = message["op"] == "listener";
        std::string reply = listener ? announcement : nlohmann::json{{"ok", message}}.dump();
        coordinator_->send(id, view_of(std::string_view(reply)));
      };
      coordinator_ =
          std::make_unique<LocalServer>(thread_.loop(), directory_.file("pgsql_tmp.coordinator"), std::move(handlers));
    });
  }
  // The listener has connected to the coordinator and knows the peers.
  void wait_for_peers() {
    while (thread_.call([&] { return server_->peers().empty(); })) std::this_thread::yield();
  }
  void stop_coordinator() {
    thread_.call([&] { coordinator_.reset(); });
  }

  Peer peer() const {
    return {party_, "https://127.0.0.1:" + std::to_string(port_), identity_->certificate().fingerprint};
  }
  std::string socket_path(const AttemptId& attempt) const {
    return directory_.file(engine_socket_name(to_hex(attempt)));
  }
  const TestCertificate& certificate() const { return certificate_; }
  std::shared_ptr<const Identity> identity() const { return identity_; }

 private:
  std::string party_;
  TemporaryDirectory directory_;
  TestCertificate certificate_;
  std::shared_ptr<const Identity> identity_;
  int port_ = 0;
  LoopThread thread_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<LocalServer> coordinator_;
};

// Three nodes that know each other, and the settings of an attempt between them.
class ThreeNodes {
 public:
  ThreeNodes() {
    for (auto& node : nodes_) node.start_coordinator({nodes_[0].peer(), nodes_[1].peer(), nodes_[2].peer()});
    for (auto& node : nodes_) node.wait_for_peers();
    attempt_.fill(0x5a);
    digest_.fill(0xd1);
  }
  TestNode& operator[](int index) { return nodes_[static_cast<std::size_t>(index)]; }
  TransportConfig config(int self) {
    TransportConfig out;
    out.self = self;
    out.attempt = attempt_;
    out.digest = digest_;
    out.socket_path = (*this)[self].socket_path(attempt_);
    for (int i = 0; i < kParties; ++i) out.peers[static_cast<std::size_t>(i)] = (*this)[i].peer();
    out.certificate_file = (*this)[self].certificate().certificate_file;
    out.private_key_file = (*this)[self].certificate().key_file;
    out.step_timeout = std::chrono::seconds(60);
    return out;
  }

 private:
  std::array<TestNode, kParties> nodes_{TestNode("erasmus_mc"), TestNode("zilveren_kruis"), TestNode("zorgttp")};
  AttemptId attempt_{};
  StudyDigest digest_{};
};

}  // namespace pgmpc::test
