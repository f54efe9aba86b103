// Implements the HTTPS client: one link per peer, and the retirement of links after a change of identity.
#include "net/http_client.h"

#include <curl/curl.h>

#include <mutex>

#include "base/error.h"
#include "net/http_link.h"

namespace pgmpc {

namespace {
void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
      throw Error(ErrorCode::internal, "could not initialise libcurl");
  });
}
}  // namespace

HttpClient::HttpClient(EventLoop& loop, std::shared_ptr<const Identity> identity, TrustStore trust,
                       int connections_per_peer, std::size_t response_limit)
    : loop_(loop),
      identity_(std::move(identity)),
      trust_(std::move(trust)),
      connections_per_peer_(connections_per_peer),
      response_limit_(response_limit) {
  initialise_curl();
}

HttpClient::~HttpClient() {
  for (auto& [peer, link] : links_) link->stop();
  for (auto& link : retired_) link->stop();
}

HttpClient::Link& HttpClient::link_to(const Peer& peer) {
  std::erase_if(retired_, [](const auto& link) { return !link->busy(); });
  auto& link = links_[peer];
  if (link && link->broken()) retired_.push_back(std::move(link));
  if (!link) link = std::make_shared<Link>(*this, peer);
  return *link;
}

void HttpClient::post(const Peer& peer, const std::string& path, SharedBytes body, std::chrono::milliseconds timeout,
                      Callback callback) {
  link_to(peer).start(path, std::move(body), timeout, std::move(callback));
}

void HttpClient::post(const Peer& peer, const std::string& path, Bytes body, std::chrono::milliseconds timeout,
                      Callback callback) {
  post(peer, path, std::make_shared<const Bytes>(std::move(body)), timeout, std::move(callback));
}

void HttpClient::get(const Peer& peer, const std::string& path, std::chrono::milliseconds timeout, Callback callback) {
  link_to(peer).start(path, nullptr, timeout, std::move(callback));
}

void HttpClient::set_identity(std::shared_ptr<const Identity> identity, TrustStore trust) {
  identity_ = std::move(identity);
  trust_ = std::move(trust);
  for (auto& [peer, link] : links_) retired_.push_back(std::move(link));
  links_.clear();
}

}  // namespace pgmpc
