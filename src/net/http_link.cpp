// Implements the requests to one peer with libcurl: options, socket and timer callbacks, causes of failures.
#include "net/http_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace pgmpc {

namespace {
constexpr std::chrono::milliseconds kConnectTimeout{10000};
constexpr int kUnackedTimeoutMs = 30000;  // TCP gives up on a host that acknowledges nothing

// Threads inherit the signal mask of their creator, and a server's signal handlers may only run on its main thread.
// Everything that lets libcurl start a resolver thread therefore runs under this guard. Only the outermost guard of a
// thread has an effect, at the cost of two system calls.
class SignalBlock {
 public:
  SignalBlock() {
    if (depth_++ > 0) return;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old_);
  }
  ~SignalBlock() {
    if (--depth_ == 0) pthread_sigmask(SIG_SETMASK, &old_, nullptr);
  }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  static inline thread_local int depth_ = 0;
  sigset_t old_;
};

std::string without_slash(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

// Explains a TLS alert of the peer about the certificate that we presented. The text follows "peer NAME".
std::string refusal_text(const std::string& alert, const Certificate& own) {
  const std::string refused = " refused our certificate: ";
  if (alert == "certificate expired") return refused + "expired on " + utc_date(own.not_after);
  if (alert == "certificate revoked") return refused + "revoked";
  if (alert == "unsupported certificate") return refused + "its key usage does not allow TLS clients";
  if (alert == "unknown ca") return refused + "it does not know the fingerprint " + own.fingerprint;
  if (alert == "bad certificate") return refused + "its server log has the reason";
  if (alert.find("certificate") != std::string::npos) return refused + alert;
  return " ended the TLS handshake: " + alert;
}
}  // namespace

HttpClient::Link::Link(HttpClient& client, Peer peer)
    : client_(client), loop_(client.loop_), peer_(std::move(peer)), multi_(curl_multi_init()) {
  if (multi_ == nullptr) throw Error(ErrorCode::out_of_memory, "out of memory");
  pin_ = {client.identity_, client.trust_, peer_.party, peer_.fingerprint, peer_.next_fingerprint, {}};
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  // Callers never have so many requests under way. A transfer that libcurl 7.88 queues for a free connection may stay
  // queued for ever when those in use end by their time limit, as after an outage.
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, 8L * client.connections_per_peer_);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(client.connections_per_peer_));
  headers_ = curl_slist_append(headers_, "Expect:");
  headers_ = curl_slist_append(headers_, "Accept:");
  headers_ = curl_slist_append(headers_, "Content-Type: application/octet-stream");
}

HttpClient::Link::~Link() {
  stop();
  SignalBlock block;
  for (auto& [easy, transfer] : transfers_) {
    curl_multi_remove_handle(multi_, easy);
    curl_easy_cleanup(easy);
  }
  for (CURL* easy : spare_) curl_easy_cleanup(easy);
  curl_multi_cleanup(multi_);
  curl_slist_free_all(headers_);
  for (auto& [fd, watched] : watched_) loop_.unwatch(fd);
  loop_.cancel(timer_);
}

void HttpClient::Link::stop() { stopped_ = true; }

CURL* HttpClient::Link::new_easy() {
  CURL* easy = curl_easy_init();
  if (easy == nullptr) throw Error(ErrorCode::out_of_memory, "out of memory");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");  // also ignores *_proxy of the environment
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));
  curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);  // this program checks the certificate, see net/tls.h
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, this);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectTimeout.count()));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 3600L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  return easy;
}

void HttpClient::Link::start(const std::string& path, SharedBytes body, std::chrono::milliseconds timeout,
                             Callback callback) {
  CURL* easy = spare_.empty() ? new_easy() : spare_.back();
  if (!spare_.empty()) spare_.pop_back();
  auto transfer = std::make_unique<Transfer>();
  transfer->easy = easy;
  transfer->body = std::move(body);
  transfer->callback = std::move(callback);
  transfer->limit = client_.response_limit_;
  transfer->timeout = timeout;
  curl_easy_setopt(easy, CURLOPT_URL, (without_slash(peer_.url) + path).c_str());
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
  if (transfer->body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, reinterpret_cast<const char*>(transfer->body->data()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer->body->size()));
  } else {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  }
  transfers_[easy] = std::move(transfer);
  SignalBlock block;
  curl_multi_add_handle(multi_, easy);
  if (!kick_) return;
  // libcurl has asked for an immediate timeout: on an open connection this call sends the request now.
  act(CURL_SOCKET_TIMEOUT, 0);
  if (running_ == static_cast<int>(transfers_.size())) return;
  loop_.post([weak = weak_from_this()] {  // failed at once; callbacks never run inside post() or get()
    if (auto self = weak.lock()) self->collect();
  });
}

void HttpClient::Link::act(curl_socket_t fd, int events) {
  SignalBlock block;
  kick_ = false;
  if (curl_multi_socket_action(multi_, fd, events, &running_) == CURLM_OK || std::exchange(broken_, true)) return;
  loop_.post([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->fail_all();
  });
}

// Ends all transfers after an error of a callback (no memory, no descriptor): libcurl then does nothing more.
void HttpClient::Link::fail_all() {
  while (!stopped_ && !transfers_.empty()) {
    std::unique_ptr<Transfer> transfer = std::move(transfers_.begin()->second);
    transfers_.erase(transfers_.begin());
    finish(*transfer, CURLE_ABORTED_BY_CALLBACK);
  }
}

void HttpClient::Link::act_and_collect(curl_socket_t fd, int events) {
  SignalBlock block;
  act(fd, events);
  collect();
}

void HttpClient::Link::collect() {
  auto alive = shared_from_this();
  int left = 0;
  while (!stopped_) {
    CURLMsg* message = curl_multi_info_read(multi_, &left);
    if (message == nullptr) return;
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode code = message->data.result;
    auto found = transfers_.find(message->easy_handle);
    std::unique_ptr<Transfer> transfer = std::move(found->second);
    transfers_.erase(found);
    finish(*transfer, code);
  }
}

void HttpClient::Link::finish(Transfer& transfer, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &status);
  if (code == CURLE_OK) {
    transfer.result.status = static_cast<int>(status);
  } else {
    transfer.result.error_cause = "peer " + peer_.party + cause_of(transfer, code);
    transfer.result.body.clear();
  }
  {
    SignalBlock block;
    curl_multi_remove_handle(multi_, transfer.easy);
  }
  spare_.push_back(transfer.easy);
  if (transfer.callback) transfer.callback(std::move(transfer.result));
}

// Returns the cause as text that follows "peer NAME".
std::string HttpClient::Link::cause_of(const Transfer& transfer, CURLcode code) {
  std::string text = transfer.error[0] != 0 ? transfer.error : curl_easy_strerror(code);
  bool tls = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CERTPROBLEM;
  if (tls && !pin_.cause.empty()) return ": " + pin_.cause;
  std::size_t alert = text.find("alert ");
  if (alert == std::string::npos) return ": " + plain_cause_of(transfer, code, text);
  return refusal_text(text.substr(alert + 6, text.find(',', alert) - alert - 6), client_.identity_->certificate());
}

std::string HttpClient::Link::plain_cause_of(const Transfer& transfer, CURLcode code, const std::string& text) {
  long os_error = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_OS_ERRNO, &os_error);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return "host name of " + peer_.url + " cannot be resolved";
    case CURLE_COULDNT_CONNECT:
      if (os_error != 0) {
        std::string reason = std::strerror(static_cast<int>(os_error));
        if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') reason[0] = static_cast<char>(reason[0] + 32);
        return reason + " at " + peer_.url;
      }
      return text;
    case CURLE_OPERATION_TIMEDOUT:
      return "no answer from " + peer_.url + " in time (" + text + ")";
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return "url " + peer_.url + " is not a valid https url";
    case CURLE_WRITE_ERROR:
      return "answer is longer than allowed";
    default:
      return text;
  }
}

// Keeps the descriptor of a connection that becomes idle watched, because most are used again at once. An event before
// that (usually its end) only ends the watch; libcurl finds it when it takes the connection again.
int HttpClient::Link::on_socket(CURL*, curl_socket_t fd, int what, void* data, void*) {
  auto& self = *static_cast<Link*>(data);
  try {
    auto found = self.watched_.find(fd);
    if (what == CURL_POLL_REMOVE) {
      if (self.connections_.count(fd) == 0)
        self.unwatch(fd);
      else if (found != self.watched_.end())
        found->second = false;
      return 0;
    }
    std::uint32_t events = ((what & CURL_POLL_IN) ? EPOLLIN : 0u) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0u);
    if (found != self.watched_.end()) {
      found->second = true;
      self.loop_.change(fd, events);
      return 0;
    }
    self.loop_.watch(fd, events, [weak = self.weak_from_this(), fd](std::uint32_t ready) {
      if (auto link = weak.lock()) link->ready(fd, ready);
    });
    self.watched_.emplace(fd, true);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

void HttpClient::Link::ready(int fd, std::uint32_t events) {
  auto found = watched_.find(fd);
  if (found != watched_.end() && !found->second) return unwatch(fd);
  int flags = ((events & EPOLLIN) ? CURL_CSELECT_IN : 0) | ((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
              ((events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
  act_and_collect(fd, flags);
}

void HttpClient::Link::unwatch(int fd) {
  if (watched_.erase(fd) != 0) loop_.unwatch(fd);
}

int HttpClient::Link::on_open(void* data, curl_socket_t fd, curlsocktype) {
  auto& self = *static_cast<Link*>(data);
  int timeout = kUnackedTimeoutMs;
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
  try {
    self.unwatch(fd);  // libcurl does not report that it closes a socket that never connected
    self.connections_.insert(fd);
    return CURL_SOCKOPT_OK;
  } catch (const std::exception&) {
    return CURL_SOCKOPT_ERROR;
  }
}

// libcurl closes a connection. Its descriptor number may be reused.
int HttpClient::Link::on_close(void* data, curl_socket_t fd) {
  auto& self = *static_cast<Link*>(data);
  self.connections_.erase(fd);
  self.unwatch(fd);
  return ::close(fd);
}

int HttpClient::Link::on_timer(CURLM*, long ms, void* data) {
  auto& self = *static_cast<Link*>(data);
  try {
    self.loop_.cancel(self.timer_);
    self.timer_ = 0;
    self.kick_ = ms == 0;
    if (ms < 0) return 0;
    self.timer_ = self.loop_.after(std::chrono::milliseconds(ms), [weak = self.weak_from_this()] {
      auto link = weak.lock();
      if (!link) return;
      link->timer_ = 0;
      link->act_and_collect(CURL_SOCKET_TIMEOUT, 0);
    });
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

std::size_t HttpClient::Link::on_body(char* data, std::size_t, std::size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (size > transfer.limit - std::min(transfer.limit, transfer.result.body.size())) return 0;
  try {
    transfer.result.body.insert(transfer.result.body.end(), data, data + size);
  } catch (const std::exception&) {
    return 0;
  }
  return size;
}

CURLcode HttpClient::Link::on_context(CURL*, void* context, void* data) {
  auto& self = *static_cast<Link*>(data);
  try {
    prepare_client_context(static_cast<SSL_CTX*>(context), self.pin_);
    return CURLE_OK;
  } catch (const std::exception& error) {
    self.pin_.cause = error.what();
    return CURLE_SSL_CERTPROBLEM;
  }
}

}  // namespace pgmpc
