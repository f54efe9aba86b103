// Sends frames over a Unix stream socket: the assembler, the outgoing queue and one connection inside an EventLoop.
//
// Terms
// A frame is a u32 big-endian length and then that many bytes, at most kMaxLocalFrame.
//
// Invariants
// Both ends run under the same operating system user (SO_PEERCRED). Frames are delivered whole and in order.
#pragma once
#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "ipc/event_loop.h"

namespace pgmpc {

inline constexpr std::size_t kMaxLocalFrame = 64u << 20;

// Assembles frames from what a non-blocking socket delivers.
class FrameAssembler {
 public:
  // Reads until the socket has nothing more or `limit` bytes were read. Returns false when the stream has ended or
  // failed. Error(protocol_violation) when a frame announces more than kMaxLocalFrame bytes.
  bool read_from(int fd, std::deque<Bytes>& frames, std::size_t limit = 4u << 20);

 private:
  void take(const std::uint8_t* data, std::size_t size, std::deque<Bytes>& frames);

  std::uint8_t header_[4];
  std::size_t header_size_ = 0;
  Bytes body_;
  std::size_t body_size_ = 0;  // bytes of body_ that have arrived
};

// Holds frames until the socket takes them.
class FrameQueue {
 public:
  // Adds one frame that consists of both parts. `hold` is released when the frame, and those that share its buffer,
  // have been written. Error(limit_exceeded) above kMaxLocalFrame bytes.
  void push(ByteView head, ByteView body = {}, std::shared_ptr<const void> hold = nullptr);
  // Writes what the socket takes. Returns false when the stream has failed. empty() tells whether all is written.
  bool write_to(int fd);
  bool empty() const noexcept { return queue_.empty(); }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Entry {
    Bytes bytes;
    std::vector<std::shared_ptr<const void>> holds;
  };
  std::deque<Entry> queue_;
  std::size_t offset_ = 0, bytes_ = 0;
};

// Error(configuration) when the process at the other end runs under another user.
void check_same_user(int fd);
// Returns a connected, non-blocking descriptor. Error(configuration) when no process listens at the path.
int connect_local(const std::string& path);

// One connection inside an EventLoop. Either end, an exception of on_frame, or close() closes it.
class LocalStream : public std::enable_shared_from_this<LocalStream> {
 public:
  using OnFrame = std::function<void(Bytes)>;
  using OnClose = std::function<void()>;

  LocalStream(EventLoop& loop, int fd) : loop_(loop), fd_(fd) {}
  ~LocalStream();
  void start(OnFrame on_frame, OnClose on_close);  // on_close is not called for close()
  // Returns false when the other end has closed the connection.
  bool send(ByteView head, ByteView body = {}, std::shared_ptr<const void> hold = nullptr);
  // Writes several frames with few system calls: queue() them, then flush().
  void queue(ByteView frame) {
    if (open()) out_.push(frame);
  }
  bool flush();
  void close();
  bool open() const noexcept { return fd_ >= 0; }

 private:
  void ready(std::uint32_t events);
  void fail();
  void arm();

  EventLoop& loop_;
  int fd_;
  FrameAssembler in_;
  FrameQueue out_;
  OnFrame on_frame_;
  OnClose on_close_;
};

}  // namespace pgmpc
