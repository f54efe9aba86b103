// Implements the channel: its two threads, sending and receiving, and frames that the listener forwards.
#include "transport/transport_channel.h"

#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>

#include "base/duration.h"
#include "base/error.h"
#include "transport/router.h"

namespace pgmpc {

namespace {
constexpr std::chrono::milliseconds kHandover{2}, kMaxHandover{10}, kPoll{100}, kAbortTime{2000};
constexpr std::chrono::milliseconds kMinAlivePause{10}, kMaxAlivePause{5000}, kAliveTime{20000};
constexpr std::chrono::milliseconds kNoticeable{200};
// How long the protocol thread busy-polls after it enters a call, and after each event.
constexpr std::chrono::microseconds kEngineBusyPoll{100};
constexpr int kMaxPartyName = 63;
// Two connections remain for alive and abort when all those for data wait for a busy peer.
constexpr int kConnections = SendQueue::kInFlight + 2;

std::chrono::milliseconds alive_pause(std::chrono::milliseconds step_timeout) {
  return step_timeout.count() == 0 ? kMaxAlivePause : std::clamp(step_timeout / 10, kMinAlivePause, kMaxAlivePause);
}
}  // namespace

// Scope in which the protocol thread runs the event loop.
class TransportChannel::Driving {
 public:
  explicit Driving(TransportChannel& channel) : channel_(channel) {
    channel_.inside_ = true;
    ++channel_.entries_;
    if (channel_.io_driving_) channel_.loop_.wake();
    channel_.mutex_.lock();
    channel_.loop_.busy_poll_for(kEngineBusyPoll);
  }
  ~Driving() {
    channel_.mutex_.unlock();
    channel_.inside_ = false;
  }
  Driving(const Driving&) = delete;
  Driving& operator=(const Driving&) = delete;

 private:
  TransportChannel& channel_;
};

// Scope of a call that may wait for a peer. Tells on_wait when a wait becomes noticeable and when it is over.
class TransportChannel::Waiting {
 public:
  explicit Waiting(TransportChannel& channel) : channel_(channel) {}
  ~Waiting() {
    try {
      if (peer_ >= 0) channel_.config_.on_wait({}, {});
    } catch (...) {
      // The receiver of the notice is gone. The next call of the protocol reports that.
    }
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  void look(int peer) {
    if (!channel_.config_.on_wait || Clock::now() - begun_ < kNoticeable) return;
    const PeerState& state = channel_.peers_[peer];
    const std::string& cause = state.out->cause().empty() ? state.alive_cause : state.out->cause();
    if (peer == peer_ && cause == cause_) return;
    peer_ = peer;
    cause_ = cause;
    channel_.config_.on_wait(channel_.config_.peers[peer].party, cause);
  }

 private:
  TransportChannel& channel_;
  Clock::time_point begun_ = Clock::now();
  int peer_ = -1;  // the peer that on_wait was told of
  std::string cause_;
};

TransportChannel::TransportChannel(TransportConfig config, CancelToken& cancel)
    : config_(std::move(config)), cancel_(cancel) {
  client_ = std::make_unique<HttpClient>(loop_, Identity::load(config_.certificate_file, config_.private_key_file),
                                         load_trust_store(config_.ca_file, config_.crl_file), kConnections);
  std::string path = "/v1/data/" + to_hex(config_.attempt);
  for (int i = 0; i < kParties; ++i)
    if (i != config_.self) peers_[i].out = std::make_unique<SendQueue>(loop_, *client_, config_.peers[i], path);
  LocalServer::Handlers handlers;
  handlers.on_frame = [this](LocalServer::ConnectionId id, Bytes message) { take_forwarded(id, message); };
  server_ = std::make_unique<LocalServer>(loop_, config_.socket_path, std::move(handlers));
  if (config_.lifeline_fd >= 0) {
    loop_.watch(config_.lifeline_fd, EPOLLIN, [this](std::uint32_t) {
      cancel_.cancel();
      loop_.unwatch(config_.lifeline_fd);
    });
  }
  loop_.after(alive_pause(config_.step_timeout), [this] { send_alive(); });
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  try {
    io_ = std::thread([this] { run_io(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

TransportChannel::~TransportChannel() {
  stop_io();
  // A party that is done leaves at once. The peer whose last message it took must not wait for an acknowledgement.
  try {
    for (auto& state : peers_) verdicts_.insert(verdicts_.end(), state.unanswered.begin(), state.unanswered.end());
    send_verdicts();
  } catch (const std::exception&) {
    // Out of memory: the peer tries again and finds no engine.
  }
}

void TransportChannel::stop_io() noexcept {
  stop_ = true;
  loop_.wake();
  {
    std::lock_guard lock(handover_mutex_);
    handover_.notify_all();
  }
  if (io_.joinable()) io_.join();
}

// Drives the loop while the protocol thread computes. It polls for that every kHandover: a notification would cost
// every short visit of the protocol thread a wake-up. During a long visit it polls less often, down to every
// kMaxHandover.
void TransportChannel::run_io() noexcept {
  auto wait = kHandover;
  while (!stop_) {
    std::uint64_t seen = entries_;
    {
      std::unique_lock lock(handover_mutex_);
      handover_.wait_for(lock, wait, [this] { return stop_.load(); });
    }
    if (stop_) return;
    if (inside_ || entries_ != seen) {
      wait = std::min(wait + kHandover, kMaxHandover);
      continue;
    }
    wait = kHandover;
    std::lock_guard lock(mutex_);
    io_driving_ = true;
    try {
      while (!stop_ && !inside_ && !failure_) {
        send_verdicts();
        loop_.step(-1);
      }
    } catch (const std::exception& error) {
      failure_ = Error(ErrorCode::internal, "the engine's transport failed", error.what());
    }
    io_driving_ = false;
    if (failure_) return;
  }
}

TransportChannel::PeerState& TransportChannel::peer(int index) {
  if (index < 0 || index >= kParties || index == config_.self)
    throw Error(ErrorCode::internal, "no channel to that party index");
  return peers_[index];
}

// Runs one round of the loop. Returns soon enough to notice a token that another thread sets.
void TransportChannel::drive(std::chrono::milliseconds most) {
  send_verdicts();
  if (loop_.step(static_cast<int>(std::min(most, kPoll).count()))) loop_.busy_poll_for(kEngineBusyPoll);
}

void TransportChannel::send_verdicts() {
  for (const Verdict& verdict : verdicts_)
    server_->queue(verdict.connection, encode_verdict(verdict.id, verdict.status));
  for (const Verdict& verdict : verdicts_) server_->flush(verdict.connection);
  verdicts_.clear();
}

// Sends a frame without payload, outside the queue.
void TransportChannel::post_bare(int to, FrameKind kind, int about, std::chrono::milliseconds timeout,
                                 HttpClient::Callback callback) {
  DataHeader header{config_.digest, config_.attempt, config_.self, to, 0, kind, static_cast<std::uint64_t>(about)};
  client_->post(config_.peers[to], "/v1/data/" + to_hex(config_.attempt), encode_data_frame(header, {}), timeout,
                std::move(callback));
}

// Checks the watchdog's count. Time inside a call of the channel does not count, because calls have their own limits.
bool TransportChannel::stalled() {
  if (!config_.progress || config_.stall_timeout.count() == 0) return false;
  const std::uint64_t seen = config_.progress() + entries_;
  if (inside_ || seen != progress_seen_ || progress_at_ == Clock::time_point{}) {
    progress_seen_ = seen;
    progress_at_ = Clock::now();
    return false;
  }
  return Clock::now() - progress_at_ > config_.stall_timeout;
}

void TransportChannel::send_alive() {
  if (stalled()) {
    failure_ = Error(ErrorCode::timeout,
                     "the computation of this node made no progress for " + duration_text(config_.stall_timeout));
    if (config_.on_stall) config_.on_stall();
    return;
  }
  loop_.after(alive_pause(config_.step_timeout), [this] { send_alive(); });
  for (int i = 0; i < kParties; ++i) {
    if (i == config_.self || peers_[i].alive_unanswered) continue;
    peers_[i].alive_unanswered = true;
    post_bare(i, FrameKind::alive, 0, kAliveTime, [this, i](HttpResult result) {
      PeerState& state = peers_[i];
      state.alive_unanswered = false;
      state.alive_cause = cause_of(config_.peers[i], result);
      if (result.status == 200) state.reached = Clock::now();
    });
  }
}

void TransportChannel::send(int to, int step, Bytes message) {
  PeerState& state = peer(to);
  Driving driving(*this);
  Waiting waiting(*this);
  check();
  while (state.out->bytes() > config_.buffer_limit) {
    waiting.look(to);
    drive(kPoll);
    check();
  }
  DataHeader header{config_.digest, config_.attempt, config_.self, to, step, FrameKind::data, state.out->sequence()};
  state.out->push(std::make_shared<const Bytes>(encode_data_frame(header, message)));
  state.sent += message.size();
  send_verdicts();
}

// Error(timeout) when the peer has given no sign of activity for step_timeout.
void TransportChannel::check_patience(int from, int step, Clock::time_point start) {
  const PeerState& state = peers_[from];
  const auto sign = std::max({start, state.heard, state.reached, state.out->progress()});
  if (config_.step_timeout.count() > 0 && Clock::now() - sign > config_.step_timeout)
    throw Error(ErrorCode::timeout,
                "no message from peer " + config_.peers[from].party + " for " + duration_text(config_.step_timeout),
                "awaited in step " + std::to_string(step), "see pg_mpc.step_timeout");
}

int TransportChannel::await(unsigned peers, int step, Clock::time_point until) {
  const auto start = Clock::now();
  Driving driving(*this);
  Waiting waiting(*this);
  for (;;) {
    int awaited = -1;
    for (int from = kParties - 1; from >= 0; --from) {
      if ((peers >> from & 1) == 0) continue;
      if (peer(from).in.ready()) return from;
      awaited = from;
    }
    check();
    const auto now = Clock::now();
    if (now >= until) return -1;
    if (awaited >= 0) {
      check_patience(awaited, step, start);
      waiting.look(awaited);
    }
    drive(until - now > kPoll ? kPoll : std::chrono::ceil<std::chrono::milliseconds>(until - now));
  }
}

Bytes TransportChannel::receive(int from, int step) {
  PeerState& state = peer(from);
  auto start = Clock::now();
  Driving driving(*this);
  Waiting waiting(*this);
  while (!state.in.ready()) {
    check();
    check_patience(from, step, start);
    waiting.look(from);
    drive(kPoll);
  }
  cancel_.check();
  Inbox::Message message = state.in.take();
  acknowledge_drained(state);
  if (message.step != step)
    throw Error(ErrorCode::protocol_violation, "peer " + config_.peers[from].party + " sent a message of another step",
                "step " + std::to_string(message.step) + " instead of " + std::to_string(step));
  return std::move(message.payload);
}

void TransportChannel::flush() {
  Driving driving(*this);
  Waiting waiting(*this);
  auto full = [](const PeerState& state) { return state.out && !state.out->empty(); };
  for (;; drive(kPoll)) {
    check();
    auto found = std::ranges::find_if(peers_, full);
    if (found == peers_.end()) return;
    waiting.look(static_cast<int>(found - peers_.begin()));
  }
}

void TransportChannel::abort() noexcept {
  try {
    Driving driving(*this);
    if (failure_) return;
    auto unanswered = std::make_shared<int>(0);
    const int left = who_left();
    if (config_.on_abort) config_.on_abort(left);
    for (int i = 0; i < kParties; ++i) {
      if (i == config_.self) continue;
      peers_[i].out->clear();
      ++*unanswered;
      post_bare(i, FrameKind::abort, left, kAbortTime, [unanswered](HttpResult) { --*unanswered; });
    }
    auto deadline = Clock::now() + kAbortTime;
    while (*unanswered > 0 && Clock::now() < deadline) drive(kPoll);
  } catch (...) {
    // Best effort: otherwise the peers notice by their own timeouts.
  }
}

std::uint64_t TransportChannel::bytes_sent() const {
  std::uint64_t sum = 0;
  for (const auto& state : peers_) sum += state.sent;
  return sum;
}

std::uint64_t TransportChannel::bytes_sent_to(int to) const { return to >= 0 && to < kParties ? peers_[to].sent : 0; }

void TransportChannel::take_forwarded(LocalServer::ConnectionId connection, const Bytes& message) {
  Reader reader(message);
  std::uint64_t id = reader.u64();
  ByteView name = reader.sized(kMaxPartyName);
  std::string party(name.begin(), name.end());
  int status = 400;
  bool later = false;
  int sender = -1;
  try {
    DataFrame frame = decode_data_frame(reader.raw(reader.left()));
    sender = frame.header.sender;
    status = judge(party, frame, later);
  } catch (const Error&) {
    status = 400;
  }
  (later ? peers_[sender].unanswered : verdicts_).push_back({connection, id, status});
}

int TransportChannel::judge(const std::string& party, const DataFrame& frame, bool& acknowledge_later) {
  const DataHeader& header = frame.header;
  if (header.digest != config_.digest || header.attempt != config_.attempt || header.receiver != config_.self)
    return 409;
  if (config_.peers[header.sender].party != party) return 409;
  PeerState& state = peers_[header.sender];
  state.heard = Clock::now();
  if (header.kind == FrameKind::abort) {
    state.stopped_by = static_cast<int>(header.sequence);
    return 200;
  }
  if (header.kind == FrameKind::alive) return 200;
  auto verdict = state.in.put(header.sequence, {header.step, Bytes(frame.payload.begin(), frame.payload.end())});
  if (verdict == Inbox::Verdict::too_early) return 503;
  // The sender has at most kInFlight messages without acknowledgement, which bounds the excess over the limit.
  acknowledge_later = state.in.ready_bytes() > config_.buffer_limit;
  return 200;
}

void TransportChannel::acknowledge_drained(PeerState& state) {
  if (state.unanswered.empty() || state.in.ready_bytes() > config_.buffer_limit) return;
  verdicts_.insert(verdicts_.end(), state.unanswered.begin(), state.unanswered.end());
  state.unanswered.clear();
}

}  // namespace pgmpc
