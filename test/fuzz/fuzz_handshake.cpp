// Fuzzes the handshake of an attempt and the first encrypted message: both peers send what the input says. The
// handshake either fails with an Error or gives keys under which no forged message opens.
// Input: the length of the first hello (one byte), the two hellos, then an encrypted message.
#include <algorithm>
#include <cstdlib>
#include <deque>

#include "base/error.h"
#include "crypto/sealed_channel.h"

namespace {
using namespace pgmpc;

class Script final : public Channel {
 public:
  explicit Script(std::deque<Bytes> messages) : messages_(std::move(messages)) {}
  int self() const override { return 0; }
  void send(int, int, Bytes) override {}
  Bytes receive(int, int) override {
    if (messages_.empty()) throw Error(ErrorCode::timeout, "no more messages");
    Bytes message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }
  int await(unsigned, int, std::chrono::steady_clock::time_point) override { return -1; }
  void flush() override {}
  void abort() noexcept override {}
  std::uint64_t bytes_sent() const override { return 0; }
  std::uint64_t bytes_sent_to(int) const override { return 0; }

 private:
  std::deque<Bytes> messages_;
};

// Fixed own randomness, so that the result depends on the input only.
class Counter final : public Rng {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) byte = ++next_;
  }

 private:
  std::uint8_t next_ = 0;
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteView rest(data + 1, size - 1);
  const std::size_t length = std::min<std::size_t>(data[0], rest.size() / 2);
  auto next = [&](std::size_t count) {
    const ByteView part = rest.first(std::min(count, rest.size()));
    rest = rest.subspan(part.size());
    return Bytes(part.begin(), part.end());
  };
  std::deque<Bytes> messages{next(length), next(length)};
  messages.push_back(next(rest.size()));
  Script script(std::move(messages));
  Counter rng;
  Hash digest{};
  bool open = false;
  try {
    SealedChannel channel(script, digest, rng);
    open = true;
    channel.receive(1, 2);
    std::abort();  // a message opened that was not encrypted under the keys
  } catch (const Error& error) {
    if (open && error.code() != ErrorCode::protocol_violation) std::abort();
  }
  return 0;
}
