#include "ipc/local_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "support/loop_thread.h"
#include "support/message_of.h"
#include "support/test_certificates.h"

namespace pgmpc {
namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

Bytes pattern(std::size_t size, int seed) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 31 + static_cast<std::size_t>(seed));
  return out;
}

// A server that sends every frame back.
struct Echo {
  explicit Echo(const std::string& path) {
    thread.call([&] {
      LocalServer::Handlers handlers;
      handlers.on_frame = [this](LocalServer::ConnectionId id, Bytes frame) {
        if (frame.empty())
          server->close(id);
        else
          server->send(id, frame);
      };
      handlers.on_close = [this](LocalServer::ConnectionId) { ++closed; };
      server = std::make_unique<LocalServer>(thread.loop(), path, std::move(handlers));
    });
  }
  ~Echo() {
    thread.call([&] { server.reset(); });
  }
  test::LoopThread thread;
  std::unique_ptr<LocalServer> server;
  std::atomic<int> closed{0};
};

// Even before the server's loop has noticed: the closed end has seen nothing of what is sent now.
TEST(LocalSocket, SendSaysWhenTheOtherEndHasClosed) {
  test::TemporaryDirectory directory;
  EventLoop loop;
  std::optional<LocalServer::ConnectionId> id;
  LocalServer::Handlers handlers;
  handlers.on_connect = [&](LocalServer::ConnectionId connected) { id = connected; };
  handlers.on_frame = [](LocalServer::ConnectionId, Bytes) {};
  LocalServer server(loop, directory.file("s"), std::move(handlers));
  {
    LocalConnection connection(directory.file("s"));
    while (!id) loop.step(1000);
    EXPECT_TRUE(server.send(*id, pattern(10, 1)));
  }
  EXPECT_FALSE(server.send(*id, pattern(10, 2)));
}

TEST(LocalSocket, FramesOfAllSizesComeBackWholeAndInOrder) {
  test::TemporaryDirectory directory;
  Echo echo(directory.file("s"));
  LocalConnection connection(directory.file("s"));
  CancelToken cancel;
  auto deadline = Clock::now() + seconds(30);
  std::vector<std::size_t> sizes{1, 3, 4, 5, 16383, 16384, 16385, 1u << 20, (8u << 20) + 7, 2};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    connection.send(pattern(sizes[i], static_cast<int>(i)), deadline, cancel);
    auto back = connection.receive(deadline, cancel);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, pattern(sizes[i], static_cast<int>(i))) << "size " << sizes[i];
  }
  for (int i = 0; i < 100; ++i) connection.send(pattern(100, i), deadline, cancel);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(connection.receive(deadline, cancel), pattern(100, i));
}

TEST(LocalSocket, ClosedConnectionAndMissingServerAreErrors) {
  test::TemporaryDirectory directory;
  CancelToken cancel;
  EXPECT_THROW(LocalConnection(directory.file("s")), Error);
  Echo echo(directory.file("s"));
  LocalConnection connection(directory.file("s"));
  connection.send({}, Clock::now() + seconds(5), cancel);
  EXPECT_THROW(connection.receive(Clock::now() + seconds(5), cancel), Error);
}

TEST(LocalSocket, ReceiveEndsAtItsDeadlineByTheTokenAndByTheLifeline) {
  test::TemporaryDirectory directory;
  Echo echo(directory.file("s"));
  LocalConnection connection(directory.file("s"));
  CancelToken cancel;
  EXPECT_FALSE(connection.receive(Clock::now() + std::chrono::milliseconds(20), cancel).has_value());
  int lifeline[2];
  ASSERT_EQ(pipe(lifeline), 0);
  close(lifeline[1]);
  EXPECT_EQ(test::message_of([&] { connection.receive(Clock::now() + seconds(5), cancel, lifeline[0]); }),
            "the server is shutting down");
  close(lifeline[0]);
  std::thread other([&] { cancel.cancel(); });
  EXPECT_THROW(connection.receive(Clock::now() + seconds(5), cancel), Error);
  other.join();
}

TEST(LocalSocket, OverlongAnnouncementEndsTheConnection) {
  test::TemporaryDirectory directory;
  Echo echo(directory.file("s"));
  LocalConnection connection(directory.file("s"));
  const std::uint8_t announcement[4] = {0x04, 0x00, 0x00, 0x01};  // 64 MiB + 1
  ASSERT_EQ(::send(connection.fd(), announcement, 4, 0), 4);
  CancelToken cancel;
  EXPECT_THROW(connection.receive(Clock::now() + seconds(5), cancel), Error);
  EXPECT_EQ(echo.thread.call([&] { return echo.closed.load(); }), 1);
}

TEST(LocalSocket, ServerReplacesStaleSocketsAndSparesItsSuccessor) {
  test::TemporaryDirectory directory;
  std::string path = directory.file("s");
  EventLoop loop;
  auto first = std::make_unique<LocalServer>(loop, path, LocalServer::Handlers{});
  auto second = std::make_unique<LocalServer>(loop, path, LocalServer::Handlers{});
  first.reset();
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  second.reset();
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST(LocalSocket, DirectoryMustBePrivate) {
  test::TemporaryDirectory directory;
  std::string path = directory.file("pg_mpc");
  ensure_private_directory(path);
  ensure_private_directory(path);
  chmod(path.c_str(), 0750);
  EXPECT_EQ(test::message_of([&] { ensure_private_directory(path); }),
            "directory " + path + " must be private to this user");
  EXPECT_EQ(test::message_of([&] { ensure_private_directory(path + "/no/parent"); }),
            "could not create directory " + path + "/no/parent");
}

TEST(LocalSocket, NobodyAnswers) {
  test::TemporaryDirectory directory;
  const std::string path = directory.file("s");
  EXPECT_EQ(test::message_of([&] { LocalConnection connection(path); }), "no process answers at socket " + path);
}

}  // namespace
}  // namespace pgmpc
