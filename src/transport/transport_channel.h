// What: the Channel of an engine: HTTPS to the two peers, the engine's Unix socket for what the listener forwards.
// Terms: protocol thread = the one thread that calls the Channel; I/O thread = ours, all signals blocked; driving =
//        running the event loop. An attempt fails for good at the first refused message, abort or passed deadline.
// Invariants: whoever drives holds mutex_. The protocol thread drives while it is inside a call, so that a round of
//             messages costs no thread switch; while it computes, the I/O thread takes over after kHandover. Only the
//             protocol thread waits awake (event_loop.h), for 100 us after it comes in and after each event.
//             A timer of the loop tells the peers every alive pause that this engine runs, so that a party that
//             computes for long is not taken for one that has gone: step_timeout passes only without any sign of it.
//             Messages arrive exactly once and in order, also across restarts of a listener; a message is
//             acknowledged after it is in the inbox, and above the buffer limit only when the inbox is drained; the
//             acknowledgement leaves after the answer that the protocol thread may have for the message, because it
//             would only take the processor from it.
//             Frames of another attempt, digest, receiver or of a sender whose party name TLS did not
//             authenticate are refused (409). Nothing here looks into a payload.
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
  std::chrono::milliseconds step_timeout{300000};  // 0: none (manual mode)
  // Protocol thread: which peer a call has been waiting for, and why that peer cannot be reached (empty: it can, as
  // far as is known); an empty party when that wait is over. Only for waits that people would notice.
  std::function<void(const std::string& party, const std::string& cause)> on_wait;
  // Protocol thread, when a cancelled attempt is aborted: index of the party because of which it was, -1: none is
  // known.
  std::function<int()> because_of;
  // Who has left first, as the abort says that this channel sends.
  std::function<void(int party)> on_abort;
  std::size_t buffer_limit = 32u << 20;  // per peer and direction
  int lifeline_fd = -1;                  // readable or hung up: the token is cancelled
  // Watchdog: a protocol thread that has gone astray while the I/O thread keeps telling the peers that all is well.
  // A count that grows while the computation gets anywhere; without growth for stall_timeout outside of calls of this
  // channel, on_stall is called once, on the I/O thread, and the peers hear nothing more.
  std::function<std::uint64_t()> progress;
  std::chrono::milliseconds stall_timeout{0};  // 0: no watchdog
  std::function<void()> on_stall;
};

class TransportChannel : public Channel {
 public:
  // Binds the engine's socket at once. Error(configuration) for files and socket.
  TransportChannel(TransportConfig config, CancelToken& cancel);
  ~TransportChannel() override;

  int self() const override { return config_.self; }
  void send(int to, int step, Bytes message) override;
  Bytes receive(int from, int step) override;
  int await(unsigned peers, int step, std::chrono::steady_clock::time_point until) override;
  void flush() override;
  void abort() noexcept override;  // best effort, at most 2 s
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
    Clock::time_point heard{};        // the latest frame of the peer's engine
    Clock::time_point reached{};      // its latest answer to our alive
    int stopped_by = -1;              // after its abort: the party that left first
    bool alive_unanswered = false;
    std::string alive_cause;  // why our latest alive did not reach it
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
