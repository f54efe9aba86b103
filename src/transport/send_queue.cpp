// Implements sending, acknowledgement and retry of the messages to one peer.
#include "transport/send_queue.h"

#include <algorithm>

namespace pgmpc {

namespace {
constexpr std::chrono::milliseconds kFirstDelay{10}, kMaxDelay{250};

// True when the peer's engine or its listener is not available at the moment.
bool temporary(const HttpResult& result) {
  return result.status == 0 || result.status == 500 || result.status == 502 || result.status == 503;
}
}  // namespace

std::string cause_of(const Peer& peer, const HttpResult& result) {
  std::string name = "peer " + peer.party;
  if (result.status == 200) return {};
  if (result.status == 0) return result.error_cause;
  if (result.status == 503) return name + ": its engine is not running";
  if (temporary(result)) return name + ": status " + std::to_string(result.status);
  return name + ": refused a message with status " + std::to_string(result.status);
}

SendQueue::SendQueue(EventLoop& loop, HttpClient& client, Peer peer, std::string path)
    : loop_(loop),
      client_(client),
      peer_(std::move(peer)),
      path_(std::move(path)),
      self_(std::make_shared<SendQueue*>(this)) {}

SendQueue::~SendQueue() {
  *self_ = nullptr;
  loop_.cancel(timer_);
}

void SendQueue::push(SharedBytes frame) {
  if (unacknowledged_.empty()) progress_ = Clock::now();
  bytes_ += frame->size();
  unacknowledged_.emplace(next_++, Entry{std::move(frame)});
  start_more();
}

void SendQueue::clear() {
  unacknowledged_.clear();
  bytes_ = 0;
  loop_.cancel(timer_);
  timer_ = 0;
}

void SendQueue::start_more() {
  if (timer_ != 0 || refused_) return;
  int allowed = delay_.count() > 0 ? 1 : kInFlight;
  for (auto& [sequence, entry] : unacknowledged_) {
    if (in_flight_ >= allowed || sequence - unacknowledged_.begin()->first >= kWindow) return;
    if (!entry.in_flight) start(sequence, entry);
  }
}

void SendQueue::start(std::uint64_t sequence, Entry& entry) {
  entry.in_flight = true;
  ++in_flight_;
  // No time limit: a busy peer acknowledges late, and TCP detects a dead host.
  client_.post(peer_, path_, entry.frame, std::chrono::milliseconds(0), [self = self_, sequence](HttpResult result) {
    if (*self != nullptr) (*self)->done(sequence, std::move(result));
  });
}

void SendQueue::done(std::uint64_t sequence, HttpResult result) {
  --in_flight_;
  auto found = unacknowledged_.find(sequence);
  if (found == unacknowledged_.end()) return;
  if (result.status == 200) {
    bytes_ -= found->second.frame->size();
    unacknowledged_.erase(found);
    progress_ = Clock::now();
    cause_.clear();
    delay_ = std::chrono::milliseconds(0);
    loop_.cancel(timer_);
    timer_ = 0;
    return start_more();
  }
  found->second.in_flight = false;
  cause_ = cause_of(peer_, result);
  if (temporary(result)) return retry_later();
  refused_ = true;
}

void SendQueue::retry_later() {
  if (timer_ != 0) return;
  delay_ = delay_.count() == 0 ? kFirstDelay : std::min(delay_ * 2, kMaxDelay);
  timer_ = loop_.after(delay_, [this] {
    timer_ = 0;
    start_more();
  });
}

}  // namespace pgmpc
