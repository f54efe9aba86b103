// Implements the Channel of an engine: HTTPS to the two peers, a Unix socket for what the listener forwards.
//
// Terms
// The protocol thread is the one thread that calls the Channel. The I/O thread belongs to this class and blocks all
// signals. The thread that runs the event loop drives it.
//
// Threads
// The driving thread holds mutex_. The protocol thread drives while it is inside a call, so that a round of messages
// costs no thread switch. While it computes, the I/O thread takes over after kHandover. Only the protocol thread
// busy-polls (ipc/event_loop.h), for 100 us after it enters a call and after each event.
//
// Invariants
// Messages arrive exactly once and in order, also across restarts of a listener. An attempt fails for good at the first
// refused message, abort or passed deadline. A timer tells the peers regularly that this engine runs (alive), so that a
// party that computes for long is not taken for lost. step_timeout passes only without any sign of the peer. A message
// is acknowledged after it is in the inbox; above the buffer limit, only when the inbox is drained. The acknowledgement
// leaves after the protocol thread's answer to the message, whose sending it would delay.
//
// Security
// Frames of another attempt, digest or receiver are refused (409), and so are those whose sender is not the party that
// TLS authenticated. Nothing here inspects a payload.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/cancel.h"
#include "base/channel.h"
#include "ipc/local_socket.h"
#include "net/http_client.h"
#include "transport/data_frame.h"
#include "transport/inbox.h"
#include "transport/send_queue.h"

namespace pgmpc {

struct TransportConfig {
  int self = 0;
  AttemptId attempt{};
  StudyDigest digest{};
  std::string socket_path;           // directory + "/" + engine_socket_name(hex of attempt)
  std::array<Peer, kParties> peers;  // by party index; the entry of self is not used
  std::string certificate_file, private_key_file, ca_file, crl_file;
  std::chrono::milliseconds step_timeout{300000};  // 0: none (step-by-step mode)
  // Called on the protocol thread when a wait for a peer becomes noticeable (200 ms) or its cause changes. cause: why
  // the peer cannot be reached, empty as far as is known. An empty party says that the wait is over.
  std::function<void(const std::string& party, const std::string& cause)> on_wait;
  // Called on the protocol thread when a cancelled attempt is aborted. Returns the index of the party that caused the
  // cancellation, -1 when none is known.
  std::function<int()> because_of;
  // Told the party that left first, before this channel sends it to the peers in its abort.
  std::function<void(int party)> on_abort;
  std::size_t buffer_limit = 32u << 20;  // per peer and direction
  int lifeline_fd = -1;                  // the token is cancelled when it becomes readable or hangs up; -1: none
  // Watchdog against a protocol thread that hangs while the I/O thread still tells the peers that this engine runs.
  // progress() returns a count that grows with the computation. When neither it nor the number of calls of this channel
  // grows for stall_timeout, on_stall is called once, on the I/O thread. The peers then receive no more alive frames.
  std::function<std::uint64_t()> progress;
  std::chrono::milliseconds stall_timeout{0};  // 0: no watchdog
  std::function<void()> on_stall;
};

class TransportChannel : public Channel {
 public:
  // Binds the engine's socket at once. Error(configuration) for invalid files or when the socket cannot be bound.
  TransportChannel(TransportConfig config, CancelToken& cancel);
  ~TransportChannel() override;

  int self() const override { return config_.self; }
  void send(int to, int step, Bytes message) override;
  Bytes receive(int from, int step) override;
  int await(unsigned peers, int step, std::chrono::steady_clock::time_point until) override;
  void flush() override;
  void abort() noexcept override;  // best effort, takes at most 2 s
  std::uint64_t bytes_sent() const override;
  std::uint64_t bytes_sent_to(int to) const override;

 private:
  using Clock = EventLoop::Clock;
  class Driving;
  class Waiting;
  struct Verdict {
    LocalServer::ConnectionId connection;
    std::uint64_t id;
    int status;
  };
  struct PeerState {
    std::unique_ptr<SendQueue> out;
    Inbox in;
    std::vector<Verdict> unanswered;  // accepted, not acknowledged yet
    Clock::time_point heard{};        // latest frame of the peer's engine
    Clock::time_point reached{};      // latest acknowledged alive of ours
    int stopped_by = -1;              // after its abort: the party that left first
    bool alive_unanswered = false;
    std::string alive_cause;  // why our latest alive did not reach the peer
    std::uint64_t sent = 0;
  };

  PeerState& peer(int index);
  void run_io() noexcept;
  void take_forwarded(LocalServer::ConnectionId connection, const Bytes& message);
  int judge(const std::string& party, const DataFrame& frame, bool& acknowledge_later);
  void acknowledge_drained(PeerState& state);
  void send_verdicts();
  void drive(std::chrono::milliseconds most);
  void check_patience(int from, int step, Clock::time_point start);
  void check();
  Error stopped(int by) const;
  int unheard() const;
  int who_left() const;
  bool takes_nothing(const PeerState& state) const;
  void check_progress(const PeerState& state) const;
  void post_bare(int to, FrameKind kind, int about, std::chrono::milliseconds timeout, HttpClient::Callback callback);
  void send_alive();
  bool stalled();
  void stop_io() noexcept;

  TransportConfig config_;
  CancelToken& cancel_;
  std::mutex mutex_;
  EventLoop loop_;
  std::unique_ptr<HttpClient> client_;
  std::array<PeerState, kParties> peers_;
  const Clock::time_point begun_ = Clock::now();
  std::unique_ptr<LocalServer> server_;
  std::vector<Verdict> verdicts_;  // decided; sent at the next drive() or send()
  std::optional<Error> failure_;   // of the loop itself
  std::uint64_t progress_seen_ = 0;
  Clock::time_point progress_at_{};

  std::atomic<bool> inside_{false}, io_driving_{false}, stop_{false};
  std::atomic<std::uint64_t> entries_{0};
  std::mutex handover_mutex_;
  std::condition_variable handover_;
  std::thread io_;
};

}  // namespace pgmpc
