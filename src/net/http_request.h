// Parses the strict HTTP/1.1 requests that parties send each other: a push parser without I/O.
//
// The parser is written here instead of taken from a library. With two methods, one body framing and no extensions,
// the grammar is smaller than the list of what a general parser would have to be kept from accepting. Examples are
// transfer codings, obsolete folding, lists in Content-Length, missing Host and chunk extensions.
//
// Invariants
// A request is GET without body, or POST with exactly one Content-Length. It is HTTP/1.1 with exactly one Host, without
// Transfer-Encoding, Expect or Upgrade, with CRLF line ends only. The header block has at most kMaxHeader bytes.
//
// Security
// The first violation refuses the request for good, and the server closes the connection. There is no
// resynchronisation, hence no request smuggling. Bytes after a complete request are refused as pipelining.
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
  // Takes the next bytes of the connection and returns the new state.
  State feed(ByteView bytes);
  State state() const noexcept { return state_; }
  // True before the first byte of a request.
  bool idle() const noexcept { return state_ == State::header && block_.empty(); }
  // In state refused: the status code to answer, and the cause for the log.
  int status() const noexcept { return status_; }
  const std::string& cause() const noexcept { return cause_; }
  // In state body: the length of the whole body.
  std::size_t content_length() const noexcept { return request_.content_length; }
  // In state complete: hands the request over and starts with the next one.
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

// Formats the status line and the header fields of a response.
std::string response_head(int status, std::string_view content_type, std::size_t content_length, bool close);

}  // namespace pgmpc
