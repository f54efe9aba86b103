// Carries the requests of an HttpClient to one peer. Internal to http_client.cpp and http_link.cpp.
//
// Terms
// A transfer is one request under way. An idle connection is open and has no transfer.
//
// Invariants
// There is one multi handle per peer. Idle connections stay watched, so that the next transfer needs no system call to
// watch them again.
#pragma once
#include <curl/curl.h>

#include <map>
#include <set>
#include <vector>

#include "net/http_client.h"

namespace pgmpc {

// All requests to one peer. Each peer has its own multi handle, so that connections of two peers never mix.
class HttpClient::Link : public std::enable_shared_from_this<HttpClient::Link> {
 public:
  Link(HttpClient& client, Peer peer);
  ~Link();
  void start(const std::string& path, SharedBytes body, std::chrono::milliseconds timeout, Callback callback);
  // True when libcurl has failed and another link must replace this one.
  bool broken() const noexcept { return broken_; }
  bool busy() const noexcept { return !transfers_.empty(); }
  void stop();  // no callback after this

 private:
  struct Transfer {
    CURL* easy = nullptr;
    SharedBytes body;
    HttpResult result;
    Callback callback;
    std::size_t limit = 0;
    std::chrono::milliseconds timeout{0};
    char error[CURL_ERROR_SIZE] = "";
  };

  CURL* new_easy();
  void act(curl_socket_t fd, int events);
  void act_and_collect(curl_socket_t fd, int events);
  void ready(int fd, std::uint32_t events);
  void unwatch(int fd);
  void collect();
  void fail_all();
  void finish(Transfer& transfer, CURLcode code);
  std::string cause_of(const Transfer& transfer, CURLcode code);
  std::string plain_cause_of(const Transfer& transfer, CURLcode code, const std::string& text);
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int on_open(void* self, curl_socket_t fd, curlsocktype);
  static int on_close(void* self, curl_socket_t fd);
  static int on_timer(CURLM*, long ms, void* self);
  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* transfer);
  static CURLcode on_context(CURL*, void* context, void* self);

  HttpClient& client_;
  EventLoop& loop_;
  Peer peer_;
  TlsClientPin pin_;
  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  EventLoop::TimerId timer_ = 0;
  int running_ = 0;  // requests that libcurl has not finished
  bool kick_ = false, stopped_ = false, broken_ = false;
  std::map<int, bool> watched_;  // false: the connection is idle, libcurl does not ask for its events
  std::set<int> connections_;    // open sockets of connections; libcurl also watches a pipe of its resolver
  std::map<CURL*, std::unique_ptr<Transfer>> transfers_;
  std::vector<CURL*> spare_;
};

}  // namespace pgmpc
