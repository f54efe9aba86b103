// Implements the Unix socket server, the client in an event loop and the blocking connection.
#include "ipc/local_socket.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace pgmpc {

void ensure_private_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    throw Error(ErrorCode::configuration, "could not create directory " + path, std::strerror(errno));
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0)
    throw Error(ErrorCode::configuration, "could not read directory " + path, std::strerror(errno));
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || (info.st_mode & 077) != 0)
    throw Error(ErrorCode::configuration, "directory " + path + " must be private to this user", {},
                "make it a directory of the server's user with mode 0700");
}

LocalServer::LocalServer(EventLoop& loop, std::string path, Handlers handlers)
    : loop_(loop), path_(std::move(path)), handlers_(std::move(handlers)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) throw Error(ErrorCode::configuration, "socket path is too long", path_);
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw Error(ErrorCode::internal, "could not create a socket", std::strerror(errno));
  unlink(path_.c_str());  // a process that was killed leaves its socket behind
  struct stat info {};
  if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd_, 64) != 0 ||
      lstat(path_.c_str(), &info) != 0) {
    int cause = errno;
    ::close(fd_);
    throw Error(ErrorCode::configuration, "could not listen on socket " + path_, std::strerror(cause));
  }
  inode_ = info.st_ino;
  loop_.watch(fd_, EPOLLIN, [this](std::uint32_t) { accept_all(); });
}

LocalServer::~LocalServer() {
  loop_.unwatch(fd_);
  ::close(fd_);
  for (auto& [id, stream] : streams_) stream->close();
  struct stat info {};
  // A successor may already have bound the path; its socket then has another inode.
  if (lstat(path_.c_str(), &info) == 0 && info.st_ino == inode_) unlink(path_.c_str());
}

void LocalServer::accept_all() {
  for (;;) {
    int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    try {
      check_same_user(fd);
    } catch (const Error&) {
      ::close(fd);
      continue;
    }
    ConnectionId id = ++last_;
    auto stream = std::make_shared<LocalStream>(loop_, fd);
    streams_[id] = stream;
    stream->start([this, id](Bytes frame) { handlers_.on_frame(id, std::move(frame)); },
                  [this, id] {
                    streams_.erase(id);
                    if (handlers_.on_close) handlers_.on_close(id);
                  });
    if (handlers_.on_connect) handlers_.on_connect(id);
  }
}

bool LocalServer::send(ConnectionId to, ByteView frame) {
  auto found = streams_.find(to);
  return found != streams_.end() && found->second->send(frame);
}

void LocalServer::queue(ConnectionId to, ByteView frame) {
  auto found = streams_.find(to);
  if (found != streams_.end()) found->second->queue(frame);
}

void LocalServer::flush(ConnectionId to) {
  auto found = streams_.find(to);
  if (found != streams_.end()) found->second->flush();
}

void LocalServer::close(ConnectionId id) {
  auto found = streams_.find(id);
  if (found == streams_.end()) return;
  auto stream = found->second;
  streams_.erase(found);
  stream->close();
}

LocalClient::LocalClient(EventLoop& loop, const std::string& path, LocalStream::OnFrame on_frame,
                         LocalStream::OnClose on_close)
    : stream_(std::make_shared<LocalStream>(loop, connect_local(path))) {
  stream_->start(std::move(on_frame), std::move(on_close));
}

LocalConnection::~LocalConnection() { ::close(fd_); }

bool LocalConnection::try_send(ByteView frame) {
  out_.push(frame);
  return try_send();
}

bool LocalConnection::try_send() {
  if (!out_.write_to(fd_))
    throw Error(ErrorCode::peer_stopped, "the process at the other end has closed the connection");
  return out_.empty();
}

std::optional<Bytes> LocalConnection::try_receive() {
  if (frames_.empty() && !ended_) ended_ = !in_.read_from(fd_, frames_);
  if (frames_.empty()) {
    if (ended_) throw Error(ErrorCode::peer_stopped, "the process at the other end has closed the connection");
    return std::nullopt;
  }
  Bytes frame = std::move(frames_.front());
  frames_.pop_front();
  return frame;
}

// Waits at most 100 ms at a time, because a token that another thread sets interrupts no system call.
void LocalConnection::wait(short events, Clock::time_point deadline, int extra_fd) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd set[2] = {{fd_, events, 0}, {extra_fd, POLLIN, 0}};
  if (poll(set, 2, static_cast<int>(std::clamp<std::int64_t>(left, 0, 100))) < 0 && errno != EINTR)
    throw Error(ErrorCode::internal, "could not wait for a local socket", std::strerror(errno));
  if (set[1].revents != 0) throw Error(ErrorCode::cancelled, "the server is shutting down");
}

void LocalConnection::send(ByteView frame, Clock::time_point deadline, const CancelToken& cancel) {
  for (bool done = try_send(frame); !done; done = try_send()) {
    cancel.check();
    if (Clock::now() >= deadline) throw Error(ErrorCode::timeout, "a local process does not accept a message");
    wait(POLLOUT, deadline, -1);
  }
}

std::optional<Bytes> LocalConnection::receive(Clock::time_point deadline, const CancelToken& cancel, int extra_fd) {
  for (;;) {
    if (auto frame = try_receive()) return frame;
    cancel.check();
    if (Clock::now() >= deadline) return std::nullopt;
    wait(POLLIN, deadline, extra_fd);
  }
}

}  // namespace pgmpc
