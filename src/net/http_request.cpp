// Implements the parser of requests and the head of responses.
#include "net/http_request.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace pgmpc {

namespace {
constexpr std::size_t kReservedBody = 64 * 1024;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// RFC 9110 token characters: what a field name may consist of.
bool is_token(char c) {
  return is_digit(c) || is_alpha(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
bool is_path(char c) { return is_digit(c) || is_alpha(c) || c == '/' || c == '_' || c == '-' || c == '.'; }
bool is_host(char c) {
  return is_digit(c) || is_alpha(c) || std::string_view(".-:[]_").find(c) != std::string_view::npos;
}
bool is_value(char c) { return (c >= 0x20 && c < 0x7f) || c == '\t'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Returns the position after CRLFCRLF, 0 when the block is not complete.
std::size_t end_of_block(const std::string& block) {
  std::size_t at = block.find("\r\n\r\n");
  return at == std::string::npos ? 0 : at + 4;
}

// Finds a line feed without carriage return, or a carriage return without line feed.
bool has_bare_line_end(std::string_view block) {
  for (std::size_t i = 0; i < block.size(); ++i) {
    if (block[i] == '\n' && (i == 0 || block[i - 1] != '\r')) return true;
    if (block[i] == '\r' && i + 1 < block.size() && block[i + 1] != '\n') return true;
  }
  return false;
}

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}
}  // namespace

RequestParser::State RequestParser::refuse(int status, std::string cause) {
  status_ = status;
  cause_ = std::move(cause);
  block_.clear();
  request_ = {};
  return state_ = State::refused;
}

RequestParser::State RequestParser::feed(ByteView bytes) {
  if (state_ == State::refused || bytes.empty()) return state_;
  if (state_ == State::complete) return refuse(400, "request sent before the previous one was answered");
  if (state_ == State::header) {
    // One byte more than the limit is enough to decide. The rest is body.
    std::size_t room = kMaxHeader + 1 - std::min(block_.size(), kMaxHeader + 1);
    std::size_t before = block_.size();
    block_.append(reinterpret_cast<const char*>(bytes.data()), std::min(room, bytes.size()));
    std::size_t end = end_of_block(block_);
    if (end != 0) block_.resize(end);
    if (has_bare_line_end(block_)) return refuse(400, "line that does not end in CRLF");
    if (block_.size() > kMaxHeader) return refuse(431, "header block is longer than 8192 bytes");
    if (end == 0) return state_;
    bytes = bytes.subspan(end - before);
    if (!parse_block()) return state_;
    block_.clear();
    state_ = request_.content_length > 0 ? State::body : State::complete;
  }
  if (state_ == State::body) {
    std::size_t part = std::min(bytes.size(), request_.content_length - request_.body.size());
    // Growing in steps would copy a body of several records repeatedly. A long Content-Length alone reserves no more.
    if (request_.body.empty()) request_.body.reserve(std::min(request_.content_length, kReservedBody));
    request_.body.insert(request_.body.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
    bytes = bytes.subspan(part);
    if (request_.body.size() == request_.content_length) state_ = State::complete;
  }
  if (!bytes.empty()) return refuse(400, "request sent before the previous one was answered");
  return state_;
}

bool RequestParser::parse_block() {
  std::string_view rest(block_);
  rest.remove_suffix(2);  // the empty line
  for (bool first = true; !rest.empty(); first = false) {
    std::size_t end = rest.find("\r\n");
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (first ? !parse_request_line(line) : !parse_field(line)) return false;
  }
  return finish_fields();
}

bool RequestParser::parse_request_line(std::string_view line) {
  std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse(400, "malformed request line"), false;
  std::string_view method = line.substr(0, first), path = line.substr(first + 1, last - first - 1);
  if (line.substr(last + 1) != "HTTP/1.1") return refuse(400, "only HTTP/1.1 is supported"), false;
  if (method != "GET" && method != "POST") return refuse(405, "method is neither GET nor POST"), false;
  if (path.empty() || path.front() != '/' || path.size() > kMaxPath || !std::ranges::all_of(path, is_path) ||
      path.find("..") != std::string_view::npos || path.find("//") != std::string_view::npos)
    return refuse(400, "malformed path"), false;
  request_.method = method == "GET" ? HttpMethod::get : HttpMethod::post;
  request_.path = path;
  return true;
}

bool RequestParser::parse_field(std::string_view line) {
  std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return refuse(400, "malformed header field"), false;
  std::string_view name = line.substr(0, colon);
  // Also refuses folded lines and a space before the colon: neither is a token character.
  if (!std::ranges::all_of(name, is_token)) return refuse(400, "malformed header field name"), false;
  std::string_view value = trim(line.substr(colon + 1));
  if (!std::ranges::all_of(value, is_value)) return refuse(400, "malformed header field value"), false;
  return take_field(lower(name), value);
}

bool RequestParser::take_field(const std::string& name, std::string_view value) {
  if (name == "host") {
    if (has_host_ || value.empty() || !std::ranges::all_of(value, is_host))
      return refuse(400, "exactly one valid Host is required"), false;
    has_host_ = true;
  } else if (name == "content-length") {
    // At most 10 digits: neither an overflow nor a sign nor a list fits.
    if (has_length_ || value.empty() || value.size() > 10 || !std::ranges::all_of(value, is_digit))
      return refuse(400, "exactly one plain Content-Length is required"), false;
    has_length_ = true;
    request_.content_length = 0;
    for (char c : value) request_.content_length = request_.content_length * 10 + static_cast<std::size_t>(c - '0');
  } else if (name == "transfer-encoding" || name == "te" || name == "trailer" || name == "expect" ||
             name == "upgrade") {
    return refuse(400, "header field " + name + " is not supported"), false;
  } else if (name == "connection") {
    std::string option = lower(value);
    if (option != "close" && option != "keep-alive") return refuse(400, "unknown Connection option"), false;
    request_.keep_alive = request_.keep_alive && option == "keep-alive";
  }
  return true;
}

bool RequestParser::finish_fields() {
  if (!has_host_) return refuse(400, "exactly one valid Host is required"), false;
  if (request_.method == HttpMethod::post && !has_length_) return refuse(411, "POST without Content-Length"), false;
  if (request_.method == HttpMethod::get && request_.content_length != 0) return refuse(400, "GET with a body"), false;
  if (request_.content_length > body_limit_) return refuse(413, "body is longer than allowed"), false;
  return true;
}

HttpRequest RequestParser::take() {
  HttpRequest done = std::move(request_);
  request_ = {};
  has_host_ = has_length_ = false;
  state_ = State::header;
  return done;
}

std::string response_head(int status, std::string_view content_type, std::size_t content_length, bool close) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + ' ' + reason_of(status) + "\r\nContent-Type: ";
  out += content_type;
  out += "\r\nContent-Length: " + std::to_string(content_length) + "\r\n";
  if (close) out += "Connection: close\r\n";
  return out + "\r\n";
}

}  // namespace pgmpc
