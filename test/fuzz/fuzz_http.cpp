// Fuzzes the HTTP request parser. The first byte selects how the rest is cut into pieces.
// Properties: state and status do not depend on the cut, and an accepted request obeys the policy.
#include <cstdlib>

#include "net/http_request.h"

namespace {
using namespace pgmpc;

void check_accepted(const HttpRequest& request) {
  bool good = !request.path.empty() && request.path.front() == '/' && request.path.size() <= kMaxPath &&
              request.body.size() == request.content_length && request.body.size() <= 4096 &&
              (request.method == HttpMethod::post || request.body.empty());
  if (!good) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::size_t piece = data[0] % 64 + 1;
  ByteView rest(data + 1, size - 1);
  RequestParser whole(4096), cut(4096);
  whole.feed(rest);
  for (std::size_t at = 0; at < rest.size(); at += piece) cut.feed(rest.subspan(at, std::min(piece, rest.size() - at)));
  if (whole.state() != cut.state() || whole.status() != cut.status()) std::abort();
  if (whole.state() == RequestParser::State::complete) check_accepted(whole.take());
  return 0;
}
