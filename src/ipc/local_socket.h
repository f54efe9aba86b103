// Connects the processes of one node (listener, coordinator, engines, SQL backends) by Unix sockets.
//
// Terms
// LocalServer and LocalClient work inside an EventLoop. LocalConnection is a plain non-blocking descriptor for callers
// that wait by other means (a latch) or block with a deadline.
//
// Invariants
// Framing and the check of the peer's user are those of ipc/local_stream.h. A server replaces a stale socket at its
// path. It removes its own socket at the end, never that of a successor.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/cancel.h"
#include "ipc/local_stream.h"

namespace pgmpc {

// Creates the directory with mode 0700 if it is missing. Error(configuration) when that fails, or when another user
// owns the directory or has access to it.
void ensure_private_directory(const std::string& path);

class LocalServer {
 public:
  using ConnectionId = std::uint64_t;
  struct Handlers {
    std::function<void(ConnectionId)> on_connect;
    std::function<void(ConnectionId, Bytes)> on_frame;
    std::function<void(ConnectionId)> on_close;  // the other end closed the connection; not called after close(id)
  };

  // Listens at the path. Error(configuration) when that is not possible.
  LocalServer(EventLoop& loop, std::string path, Handlers handlers);
  ~LocalServer();
  // Returns false, with no effect, when the connection is gone or its other end has closed it.
  bool send(ConnectionId to, ByteView frame);
  // The same, but the frames are written by the next flush().
  void queue(ConnectionId to, ByteView frame);
  void flush(ConnectionId to);
  void close(ConnectionId id);

 private:
  void accept_all();

  EventLoop& loop_;
  std::string path_;
  Handlers handlers_;
  int fd_ = -1;
  ino_t inode_ = 0;
  ConnectionId last_ = 0;
  std::unordered_map<ConnectionId, std::shared_ptr<LocalStream>> streams_;
};

class LocalClient {
 public:
  // Error(configuration) when no process listens at the path.
  LocalClient(EventLoop& loop, const std::string& path, LocalStream::OnFrame on_frame, LocalStream::OnClose on_close);
  ~LocalClient() { stream_->close(); }
  LocalClient(const LocalClient&) = delete;
  LocalClient& operator=(const LocalClient&) = delete;
  void send(ByteView head, ByteView body = {}, std::shared_ptr<const void> hold = nullptr) {
    stream_->send(head, body, std::move(hold));
  }
  bool open() const noexcept { return stream_->open(); }

 private:
  std::shared_ptr<LocalStream> stream_;
};

class LocalConnection {
 public:
  using Clock = std::chrono::steady_clock;
  explicit LocalConnection(const std::string& path) : fd_(connect_local(path)) {}
  ~LocalConnection();
  LocalConnection(const LocalConnection&) = delete;
  LocalConnection& operator=(const LocalConnection&) = delete;

  int fd() const noexcept { return fd_; }
  // Queues a frame and writes what the socket takes. Returns true when nothing is left to write. The form without
  // arguments continues with what is queued; call it when the descriptor is writable. Error(peer_stopped) when the
  // other end has closed.
  bool try_send(ByteView frame);
  bool try_send();
  // Returns the next whole frame if one has arrived. Error(peer_stopped) when the other end has closed.
  std::optional<Bytes> try_receive();

  // The same, blocking. send() throws Error(timeout) at the deadline; receive() returns nothing. Both throw
  // Error(cancelled) when the token is set. receive() also does when extra_fd becomes readable or hangs up; it is a
  // descriptor such as the postmaster's death pipe (-1: none).
  void send(ByteView frame, Clock::time_point deadline, const CancelToken& cancel);
  std::optional<Bytes> receive(Clock::time_point deadline, const CancelToken& cancel, int extra_fd = -1);

 private:
  void wait(short events, Clock::time_point deadline, int extra_fd);

  int fd_;
  bool ended_ = false;
  FrameAssembler in_;
  FrameQueue out_;
  std::deque<Bytes> frames_;
};

}  // namespace pgmpc
