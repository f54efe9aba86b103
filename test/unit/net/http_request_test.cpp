#include "net/http_request.h"

#include <gtest/gtest.h>

namespace pgmpc {
namespace {
using State = RequestParser::State;

struct Case {
  const char* name;
  std::string bytes;
  int status;  // 0: accepted
};

const std::string kHost = "Host: node2:7443\r\n";

std::vector<Case> cases() {
  return {
      {"GET", "GET /v1/ping HTTP/1.1\r\n" + kHost + "\r\n", 0},
      {"GET with length 0", "GET /v1/ping HTTP/1.1\r\n" + kHost + "Content-Length: 0\r\n\r\n", 0},
      {"POST", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\nhello", 0},
      {"field names in any case", "POST /a HTTP/1.1\r\nhOsT: a\r\ncontent-LENGTH:  5 \r\n\r\nhello", 0},
      {"CL and TE",
       "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX", 400},
      {"TE and CL",
       "POST /a HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nX", 400},
      {"TE", "POST /a HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"TE xchunked", "POST /a HTTP/1.1\r\n" + kHost + "Transfer-Encoding: xchunked\r\n\r\n", 400},
      {"TE list", "POST /a HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked, identity\r\n\r\n", 400},
      {"two CL differ", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
      {"two CL equal", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
      {"CL list", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 5,5\r\n\r\nhello", 400},
      {"CL sign", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: +5\r\n\r\nhello", 400},
      {"CL empty", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length:\r\n\r\n", 400},
      {"CL 2^63", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 9223372036854775808\r\n\r\n", 400},
      {"CL above limit", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 1025\r\n\r\n", 413},
      {"POST without CL", "POST /a HTTP/1.1\r\n" + kHost + "\r\n", 411},
      {"GET with body", "GET /a HTTP/1.1\r\n" + kHost + "Content-Length: 1\r\n\r\nx", 400},
      {"space before colon", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length : 5\r\n\r\nhello", 400},
      {"bare LF", "POST /a HTTP/1.1\nHost: a\nContent-Length: 5\n\nhello", 400},
      {"bare LF in a field", "GET /a HTTP/1.1\r\n" + kHost + "X: a\nY: b\r\n\r\n", 400},
      {"bare CR", "GET /a HTTP/1.1\r\n" + kHost + "X: a\rY: b\r\n\r\n", 400},
      {"folded field", "GET /a HTTP/1.1\r\n" + kHost + "X: a\r\n b\r\n\r\n", 400},
      {"long header", "GET /a HTTP/1.1\r\n" + kHost + "X: " + std::string(20000, 'a') + "\r\n\r\n", 431},
      {"no Host", "GET /a HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", "GET /a HTTP/1.1\r\n" + kHost + kHost + "\r\n", 400},
      {"bad Host", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"Expect", "POST /a HTTP/1.1\r\n" + kHost + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 400},
      {"Upgrade", "GET /a HTTP/1.1\r\n" + kHost + "Upgrade: h2c\r\n\r\n", 400},
      {"Connection: upgrade", "GET /a HTTP/1.1\r\n" + kHost + "Connection: upgrade\r\n\r\n", 400},
      {"HTTP/1.0", "GET /a HTTP/1.0\r\n" + kHost + "\r\n", 400},
      {"HTTP/0.9", "GET /a\r\n\r\n", 400},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"other method", "PUT /a HTTP/1.1\r\n" + kHost + "Content-Length: 0\r\n\r\n", 405},
      {"lower-case method", "get /a HTTP/1.1\r\n" + kHost + "\r\n", 405},
      {"two spaces", "GET  /a HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"absolute path", "GET https://a/b HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"dot dot", "GET /a/../b HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"percent", "GET /a%2fb HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"query", "GET /a?b=c HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"NUL in a field", "GET /a HTTP/1.1\r\n" + kHost + std::string("X: a\0b\r\n\r\n", 10), 400},
      {"high byte in a field", "GET /a HTTP/1.1\r\n" + kHost + "X: \x80\r\n\r\n", 400},
      {"no colon", "GET /a HTTP/1.1\r\n" + kHost + "Xab\r\n\r\n", 400},
      {"empty name", "GET /a HTTP/1.1\r\n" + kHost + ": b\r\n\r\n", 400},
      {"leading empty line", "\r\nGET /a HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"pipelined", "GET /a HTTP/1.1\r\n" + kHost + "\r\nGET /b HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"bytes after the body", "POST /a HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\nhelloX", 400},
  };
}

TEST(HttpRequest, PolicyTable) {
  for (const auto& test : cases()) {
    RequestParser parser(1024);
    parser.feed(view_of(test.bytes));
    if (test.status == 0) {
      EXPECT_EQ(parser.state(), State::complete) << test.name << ": " << parser.cause();
    } else {
      EXPECT_EQ(parser.state(), State::refused) << test.name;
      EXPECT_EQ(parser.status(), test.status) << test.name << ": " << parser.cause();
    }
  }
}

// The outcome may not depend on how the bytes were cut.
TEST(HttpRequest, ByteByByteGivesTheSameVerdict) {
  for (const auto& test : cases()) {
    RequestParser parser(1024);
    for (char c : test.bytes) {
      std::uint8_t byte = static_cast<std::uint8_t>(c);
      parser.feed({&byte, 1});
    }
    EXPECT_EQ(parser.state(), test.status == 0 ? State::complete : State::refused) << test.name;
    EXPECT_EQ(parser.status(), test.status) << test.name;
  }
}

TEST(HttpRequest, TakesTheNextRequestOnlyAfterTake) {
  RequestParser parser;
  std::string post = "POST /v1/control HTTP/1.1\r\n" + kHost + "Content-Length: 2\r\nConnection: close\r\n\r\n{}";
  EXPECT_TRUE(parser.idle());
  ASSERT_EQ(parser.feed(view_of(post)), State::complete);
  HttpRequest request = parser.take();
  EXPECT_EQ(request.path, "/v1/control");
  EXPECT_EQ(request.method, HttpMethod::post);
  EXPECT_FALSE(request.keep_alive);
  EXPECT_EQ(request.body, Bytes({'{', '}'}));
  EXPECT_TRUE(parser.idle());
  ASSERT_EQ(parser.feed(view_of("GET /b HTTP/1.1\r\n" + kHost + "\r\n")), State::complete);
  EXPECT_TRUE(parser.take().keep_alive);
}

}  // namespace
}  // namespace pgmpc
