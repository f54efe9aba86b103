// What: the Unix sockets between the processes of one node (listener, coordinator, engines, SQL backends).
// Terms: LocalServer and LocalClient live inside an EventLoop; LocalConnection is a plain non-blocking descriptor for
//        callers that wait by other means (a latch) or block with a deadline.
// Invariants: framing and user check of ipc/local_stream.h; a server replaces a stale socket of its path and removes
//             its own socket, never a successor's.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/cancel.h"
#include "ipc/local_stream.h"

namespace pgmpc {

// Creates the directory with mode 0700 if it is missing; Error(configuration) when it is not private to this user.
void ensure_private_directory(const std::string& path);

class LocalServer {
 public:
  using ConnectionId = std::uint64_t;
  struct Handlers {
    std::function<void(ConnectionId)> on_connect;
    std::function<void(ConnectionId, Bytes)> on_frame;
    std::function<void(ConnectionId)> on_close;  // the other end has gone; not called after close(id)
  };

  LocalServer(EventLoop& loop, std::string path, Handlers handlers);
  ~LocalServer();
  // False, and no effect, when that connection has gone or its other end has closed it.
  bool send(ConnectionId to, ByteView frame);
  // As send, but the frames leave with the next flush().
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
  // Error(configuration) when nobody listens at the path.
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
  // Queues a frame and writes what the socket takes; true when nothing is left to write. An empty argument list
  // continues with what is queued: call it when the descriptor is writable.
  bool try_send(ByteView frame);
  bool try_send();
  // The next whole frame if one has arrived. Error(peer_stopped) when the other end has closed.
  std::optional<Bytes> try_receive();

  // Blocking forms. receive: nothing at the deadline; Error(cancelled) by the token or when extra_fd (a lifeline such
  // as the postmaster's; -1: none) becomes readable or hangs up.
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
