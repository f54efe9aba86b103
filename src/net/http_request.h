// What: the strict HTTP/1.1 request grammar that parties speak to each other, as a push parser without I/O.
//       Our own parser, not a library's behind a policy: with two methods, one body framing and no extensions the
//       grammar is smaller than the list of things that a general parser would have to be stopped from accepting
//       (transfer codings, obsolete folding, lists in Content-Length, missing Host, chunk extensions).
// Invariants: GET without body or POST with exactly one Content-Length; HTTP/1.1; exactly one Host; no
//             Transfer-Encoding, Expect or Upgrade; CRLF only; header block <= kMaxHeader bytes. The first violation
//             refuses the request for good and the connection is to be closed: there is no resynchronisation, hence
//             no request smuggling. Bytes after a complete request are refused as pipelining.
#pragma once
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace pgmpc {

inline constexpr std::size_t kMaxHeader = 8192;
inline constexpr std::size_t kMaxPath = 256;
inline constexpr std::size_t kDefaultBodyLimit = 32u << 20;

enum class HttpMethod { get, post };

struct HttpRequest {
  HttpMethod method = HttpMethod::get;
  std::string path;
  bool keep_alive = true;
  std::size_t content_length = 0;
  Bytes body;
};

class RequestParser {
 public:
  enum class State { header, body, complete, refused };

  explicit RequestParser(std::size_t body_limit = kDefaultBodyLimit) : body_limit_(body_limit) {}
  State feed(ByteView bytes);
  State state() const noexcept { return state_; }
  // True before the first byte of a request.
  bool idle() const noexcept { return state_ == State::header && block_.empty(); }
  // state refused: the status code to answer and the cause for the log.
  int status() const noexcept { return status_; }
  const std::string& cause() const noexcept { return cause_; }
  // state body: its whole length.
  std::size_t content_length() const noexcept { return request_.content_length; }
  // state complete: hands the request over and starts with the next one.
  HttpRequest take();

 private:
  State refuse(int status, std::string cause);
  bool parse_block();
  bool parse_request_line(std::string_view line);
  bool parse_field(std::string_view line);
  bool take_field(const std::string& name, std::string_view value);
  bool finish_fields();

  std::size_t body_limit_;
  State state_ = State::header;
  std::string block_;  // the header block so far
  HttpRequest request_;
  bool has_host_ = false, has_length_ = false;
  int status_ = 0;
  std::string cause_;
};

// Status line and header fields of a response.
std::string response_head(int status, std::string_view content_type, std::size_t content_length, bool close);

}  // namespace pgmpc
