// Implements framing over a Unix stream socket and the check of the peer's user.
#include "ipc/local_stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace pgmpc {

namespace {
constexpr std::size_t kJoined = 4096;  // frames share a buffer of at most this many bytes
}  // namespace

void FrameAssembler::take(const std::uint8_t* data, std::size_t size, std::deque<Bytes>& frames) {
  while (size > 0) {
    if (header_size_ < 4) {
      header_[header_size_++] = *data++;
      --size;
      if (header_size_ < 4) continue;
      std::size_t length = Reader({header_, 4}).u32();
      if (length > kMaxLocalFrame) throw Error(ErrorCode::protocol_violation, "local frame is too long");
      body_.resize(length);
      body_size_ = 0;
    }
    std::size_t part = std::min(size, body_.size() - body_size_);
    if (part > 0) std::memcpy(body_.data() + body_size_, data, part);
    body_size_ += part;
    data += part;
    size -= part;
    if (body_size_ < body_.size()) return;
    frames.push_back(std::move(body_));
    body_ = Bytes();
    header_size_ = 0;
  }
}

bool FrameAssembler::read_from(int fd, std::deque<Bytes>& frames, std::size_t limit) {
  std::uint8_t small[16384];
  for (std::size_t total = 0; total < limit;) {
    // The rest of a long frame is read into its place; everything else goes through the small buffer.
    bool direct = header_size_ == 4 && body_.size() - body_size_ > sizeof small;
    std::uint8_t* place = direct ? body_.data() + body_size_ : small;
    std::size_t room = direct ? body_.size() - body_size_ : sizeof small;
    ssize_t got = recv(fd, place, room, 0);
    if (got == 0) return false;
    if (got < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    total += static_cast<std::size_t>(got);
    if (direct && static_cast<std::size_t>(got) < room) {
      body_size_ += static_cast<std::size_t>(got);
    } else if (direct) {
      frames.push_back(std::move(body_));
      body_ = Bytes();
      header_size_ = 0;
    } else {
      take(small, static_cast<std::size_t>(got), frames);
    }
    if (static_cast<std::size_t>(got) < room) return true;  // drained: the next read would only return EAGAIN
  }
  return true;
}

void FrameQueue::push(ByteView head, ByteView body, std::shared_ptr<const void> hold) {
  const std::size_t length = head.size() + body.size(), size = length + 4;
  if (length > kMaxLocalFrame) throw Error(ErrorCode::limit_exceeded, "local frame is too long");
  // Short frames go into one buffer, so that one system call sends them all.
  if (queue_.empty() || queue_.back().bytes.size() + size > kJoined) queue_.emplace_back().bytes.reserve(size);
  Entry& entry = queue_.back();
  Writer(entry.bytes).u32(static_cast<std::uint32_t>(length)).raw(head).raw(body);
  if (hold) entry.holds.push_back(std::move(hold));
  bytes_ += size;
}

bool FrameQueue::write_to(int fd) {
  while (!queue_.empty()) {
    const Bytes& front = queue_.front().bytes;
    ssize_t written = ::send(fd, front.data() + offset_, front.size() - offset_, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    offset_ += static_cast<std::size_t>(written);
    if (offset_ < front.size()) continue;
    bytes_ -= front.size();
    offset_ = 0;
    queue_.pop_front();
  }
  return true;
}

void check_same_user(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 || credentials.uid != geteuid())
    throw Error(ErrorCode::configuration, "the process at the other end of a local socket runs under another user");
}

int connect_local(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw Error(ErrorCode::configuration, "socket path is too long", path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw Error(ErrorCode::internal, "could not create a socket", std::strerror(errno));
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    int cause = errno;
    ::close(fd);
    throw Error(ErrorCode::configuration, "no process answers at socket " + path, std::strerror(cause));
  }
  try {
    check_same_user(fd);
  } catch (...) {
    ::close(fd);
    throw;
  }
  return fd;
}

LocalStream::~LocalStream() { close(); }

void LocalStream::start(OnFrame on_frame, OnClose on_close) {
  on_frame_ = std::move(on_frame);
  on_close_ = std::move(on_close);
  loop_.watch(fd_, EPOLLIN, [weak = weak_from_this()](std::uint32_t events) {
    if (auto self = weak.lock()) self->ready(events);
  });
}

bool LocalStream::send(ByteView head, ByteView body, std::shared_ptr<const void> hold) {
  if (!open()) return false;
  out_.push(head, body, std::move(hold));
  return flush();
}

bool LocalStream::flush() {
  if (!open()) return false;
  // ready() handles a write error: the socket then reports a hang-up. No handler runs inside send().
  if (!out_.write_to(fd_)) return false;
  arm();
  return true;
}

void LocalStream::arm() { loop_.change(fd_, out_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT); }

void LocalStream::ready(std::uint32_t events) {
  bool alive = true;
  std::deque<Bytes> frames;
  try {
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) alive = in_.read_from(fd_, frames);
    // Frames that arrived before the end of the stream are delivered.
    for (auto& frame : frames) {
      if (!open()) return;
      on_frame_(std::move(frame));
    }
    if (!open()) return;
    if (alive) alive = out_.write_to(fd_);
    if (alive) arm();
  } catch (const std::exception&) {
    alive = false;  // a frame that the owner rejects ends the connection
  }
  if (!alive && open()) fail();
}

void LocalStream::fail() {
  OnClose on_close = std::move(on_close_);
  close();
  if (on_close) on_close();
}

void LocalStream::close() {
  if (fd_ < 0) return;
  loop_.unwatch(fd_);
  ::close(fd_);
  fd_ = -1;
}

}  // namespace pgmpc
