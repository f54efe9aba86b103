// Fuzzes the framing on local sockets. The same bytes in one piece and cut into pieces give the same frames or the same
// refusal. The first byte selects the cut.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "ipc/local_stream.h"

namespace {
using namespace pgmpc;

struct Outcome {
  std::deque<Bytes> frames;
  bool refused = false;
  bool operator==(const Outcome&) const = default;
};

Outcome feed(ByteView bytes, std::size_t piece) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) std::abort();
  Outcome outcome;
  FrameAssembler assembler;
  try {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      const ByteView part = bytes.subspan(at, std::min(piece, bytes.size() - at));
      if (send(pair[1], part.data(), part.size(), 0) != static_cast<ssize_t>(part.size())) std::abort();
      if (!assembler.read_from(pair[0], outcome.frames)) std::abort();
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::protocol_violation) std::abort();
    outcome.refused = true;
  }
  close(pair[0]);
  close(pair[1]);
  return outcome;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 60000) return 0;
  const ByteView rest(data + 1, size - 1);
  if (!(feed(rest, std::max<std::size_t>(rest.size(), 1)) == feed(rest, data[0] % 32 + 1))) std::abort();
  return 0;
}
