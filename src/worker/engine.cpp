// Implements the engine: job, protocol thread, events.
#include "worker/engine.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmath>

#include "base/cleansing_heap.h"
#include "pg/guc.h"
#include "study/disclosure.h"
#include "study/pace.h"
#include "transport/transport_channel.h"
#include "worker/engine_source.h"
#include "worker/source_digest.h"

namespace pgmpc {
namespace {

using Clock = LocalConnection::Clock;

constexpr std::chrono::seconds kLocalPatience{30};        // for the coordinator, which never blocks for long
constexpr std::chrono::milliseconds kLastWord{100};       // for the coordinator to say which peer has left
constexpr std::chrono::milliseconds kProgressPause{200};  // between two progress events of one phase

// Times of a step below a microsecond are noise.
double in_microseconds(double seconds) { return std::round(seconds * 1e6) / 1e6; }

Json row_json(const StepRow& row) {
  Json json{{"party", row.party},
            {"step", row.step},
            {"name", row.name},
            {"peer", row.peer.empty() ? Json() : Json(row.peer)},
            {"records", nullptr},
            {"bytes", nullptr},
            {"seconds", in_microseconds(row.seconds)},
            {"data_status", row.data_status},
            {"destroyed", row.destroyed},
            {"cpu_seconds", in_microseconds(row.cpu_seconds)},
            {"kernel_seconds", in_microseconds(row.kernel_seconds)}};
  if (row.records) json["records"] = *row.records;
  if (row.bytes) json["bytes"] = *row.bytes;
  return json;
}

Json result_json(const StudyResult& result) {
  Json json{{"matched", result.matched},       {"received", result.received}, {"rounds", result.rounds},
            {"bytes_sent", result.bytes_sent}, {"relations", Json::array()},  {"traffic", Json::array()}};
  for (const TrafficRow& row : result.traffic)
    json["traffic"].push_back(
        {{"phase", row.phase}, {"rounds", row.rounds}, {"elements", row.elements}, {"bytes_sent", row.bytes_sent}});
  for (const AnalysisResult& each : result.analyses)
    for (const Relation& relation : each.relations)
      json["relations"].push_back({{"analysis", each.analysis}, {"relation", relation.name}, {"rows", relation.rows}});
  return json;
}

template <std::size_t N>
std::array<std::uint8_t, N> bytes_of_hex(const std::string& hex) {
  Bytes bytes = from_hex(hex);
  if (bytes.size() != N) throw Error(ErrorCode::internal, "job holds an id of another size");
  std::array<std::uint8_t, N> out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

std::string commitments_of(const Json& job) { return text_member_or(job, "data", ""); }

TransportConfig transport_of(const Json& job, const std::string& attempt, bool manual) {
  TransportConfig config;
  config.self = job.at("party_index").get<int>();
  config.attempt = bytes_of_hex<16>(attempt);
  // Engines refuse frames of another digest.
  config.digest =
      agreed_digest(bytes_of_hex<32>(text_member(job, "digest")), commitments_of(job), job.value("rehearsal", false));
  config.socket_path = std::string(kPrivateDirectory) + "/" + engine_socket_name(attempt);
  for (const Json& peer : job.at("peers"))
    config.peers.at(peer.at("index").get<int>()) =
        Peer{text_member(peer, "party"), text_member(peer, "url"), text_member(peer, "fingerprint"),
             peer.value("next_fingerprint", "")};
  config.certificate_file = guc::certificate_file();
  config.private_key_file = guc::private_key_file();
  config.ca_file = guc::ca_file();
  config.crl_file = guc::crl_file();
  // In step-by-step mode users pace the steps, so there is no limit on the time of a peer.
  config.step_timeout = std::chrono::milliseconds(manual ? 0 : guc::step_timeout_ms());
  return config;
}

// Far longer than any correct computation runs without checking the cancel token; none in step-by-step mode.
std::chrono::milliseconds stall_timeout(std::chrono::milliseconds step_timeout) {
  if (step_timeout.count() == 0) return step_timeout;
  return std::max<std::chrono::milliseconds>(3 * step_timeout, std::chrono::minutes(1));
}

}  // namespace

// Reports events to the coordinator and, in step-by-step mode, waits for its permits. Protocol thread only.
class Engine::Observer final : public StudyObserver {
 public:
  Observer(Engine& engine, Channel& channel) : engine_(engine), channel_(channel) {}

  void before_step(int step, const std::string& name) override {
    if (!engine_.manual_) return;
    engine_.send({{"event", "before_step"}, {"step", step}, {"name", name}});
    while (text_member(answer_with("permit"), "permit") != name) {
    }
  }
  // The record of a step is part of it: the engine continues when the coordinator has recorded it.
  void after_step(const StepRow& row) override {
    engine_.send({{"event", "step"}, {"row", row_json(row)}});
    answer_with("recorded");
  }
  void matched(std::int64_t records) override {
    engine_.send({{"event", "matched"}, {"records", records}});
    answer_with("recorded");
  }
  void before_release() override {
    engine_.send({{"event", "before_release"}});
    answer_with("recorded");
  }
  void progress(const std::string& phase, std::uint64_t done, std::uint64_t total) override {
    const bool news = phase != phase_ || done == total;
    if (phase != phase_)
      phase_since_ = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    phase_ = phase;
    done_ = done;
    total_ = total;
    report(news);
  }
  void round(std::int64_t done, std::int64_t estimated) override {
    rounds_ = done;
    rounds_estimated_ = estimated;
    report(false);
  }

 private:
  void report(bool at_once) {
    const auto now = Clock::now();
    if (phase_.empty() || (!at_once && now - reported_ < kProgressPause)) return;
    reported_ = now;
    Json event{{"event", "progress"},
               {"phase", phase_},
               {"done", done_},
               {"total", total_},
               {"rounds", nullptr},
               {"rounds_estimated", nullptr},
               {"phase_since", phase_since_},
               {"bytes_sent", channel_.bytes_sent()}};
    if (rounds_ > 0) {
      event["rounds"] = rounds_;
      event["rounds_estimated"] = std::max(rounds_, rounds_estimated_);
    }
    engine_.send(event);
  }

  // Returns the coordinator's next answer that has this key.
  Json answer_with(const char* key) {
    for (;;) {
      const auto frame = engine_.coordinator_.receive(Clock::now() + std::chrono::hours(1), engine_.cancel_);
      if (!frame) continue;
      Json answer = parse_object(*frame);
      if (answer.contains("error")) throw pg::ErrorFieldsException(error_from_json(answer["error"]));
      if (answer.contains("left")) engine_.left_ = text_member(answer, "left");
      if (answer.contains(key)) return answer;
    }
  }

  Engine& engine_;
  Channel& channel_;
  std::string phase_;
  double phase_since_ = 0;
  std::uint64_t done_ = 0, total_ = 0;
  std::int64_t rounds_ = 0, rounds_estimated_ = 0;
  Clock::time_point reported_{};
};

Engine::Engine(std::string attempt, CancelToken& cancel, std::uint64_t (*progress)(), int lifeline_fd)
    : attempt_(std::move(attempt)),
      cancel_(cancel),
      progress_(progress),
      lifeline_fd_(lifeline_fd),
      coordinator_(kCoordinatorSocket) {
  done_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (done_fd_ < 0) throw Error(ErrorCode::internal, "could not create an event descriptor");
  send({{"op", "engine"}, {"attempt", attempt_}});
  auto frame = coordinator_.receive(Clock::now() + kLocalPatience, cancel_, lifeline_fd_);
  if (!frame) throw Error(ErrorCode::internal, "the coordinator does not answer");
  job_ = value_of_reply(parse_object(*frame));
  spec_ = read_spec(text_member(job_, "spec"));
  third_party_ = text_member(job_, "role") == "third_party";
  manual_ = job_.value("manual", false);
  rehearsal_ = job_.value("rehearsal", false);
  commitments_ = commitments_of(job_);
}

Engine::~Engine() {
  if (thread_.joinable()) {
    cancel_.cancel();
    thread_.join();
  }
  close(done_fd_);
}

void Engine::send(const Json& event) { coordinator_.send(to_frame(event), Clock::now() + kLocalPatience, cancel_); }

void Engine::read() {
  source_ = read_source(job_, spec_);
  require_approved_source(job_, source_);
  cleanse_stack();
}

void Engine::start() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);  // the thread inherits this: signals stay with the main thread
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

pg::ErrorFields Engine::stall() const {
  return {"MP001", "the computation of this node made no progress",
          "Its engine was ended, and the peers were informed.",
          "Run the study again. If it happens again, report it with the server log of this node."};
}

bool Engine::join() {
  thread_.join();
  return released_;
}

void Engine::run() noexcept {
  try {
    Json result = run_protocol();
    if (rehearsal_)
      send({{"event", "rehearsed"}});
    else
      send({{"event", "result"}, {"result", std::move(result)}});
    released_ = true;
  } catch (...) {
    report_failure(pg::current_error(), left_);
  }
  eventfd_write(done_fd_, 1);
}

Json Engine::run_protocol() {
  // The time at which this engine begins to answer must not reveal how long reading the source took.
  const auto opens = begun_ + next_power(Clock::now() - begun_, kSmallestStart);
  while (coordinator_.receive(opens, cancel_, lifeline_fd_)) cancel_.check();
  cancel_.check();
  TransportConfig config = transport_of(job_, attempt_, manual_);
  config.lifeline_fd = lifeline_fd_;
  config.progress = progress_;
  config.stall_timeout = stall_timeout(config.step_timeout);
  config.on_stall = [this] {
    stalled_ = true;
    eventfd_write(done_fd_, 1);
  };
  config.on_wait = [this](const std::string& party, const std::string& cause) {
    send({{"event", "waiting"}, {"peer", party}, {"cause", cause}});
  };
  config.because_of = [this] { return party_that_left(); };
  config.on_abort = [this, self = config.self](int party) {
    if (party != self) left_ = spec_.party_name(party);
  };
  TransportChannel channel(std::move(config), cancel_);
  ThreadPool pool(guc::threads());
  Observer observer(*this, channel);
  StudyContext context{spec_,
                       text_member(job_, "study"),
                       channel,
                       system_rng(),
                       pool,
                       cancel_,
                       observer,
                       static_cast<std::uint64_t>(guc::memory_kb()) * 1024,
                       static_cast<std::size_t>(guc::table_memory_kb()) * 1024,
                       begun_};
  if (!third_party_) {
    const Json& source = job_.at("source");
    context.numbers = {source.at("numbers_before").get<std::int64_t>(), source.at("numbers").get<std::int64_t>()};
  }
  context.rehearsal = rehearsal_;
  context.commitments = commitments_;
  StudyResult result = third_party_ ? run_third_party(context) : run_controller(context, std::move(source_));
  return result_json(result);
}

// The coordinator ends an engine because a peer has left, and names the peer just before. The token is set by then.
int Engine::party_that_left() {
  if (!left_.empty()) return spec_.party_index(left_);
  try {
    const CancelToken never;
    while (const auto frame = coordinator_.receive(Clock::now() + kLastWord, never, lifeline_fd_)) {
      const Json message = parse_object(*frame);
      if (message.contains("left")) return spec_.party_index(text_member(message, "left"));
    }
  } catch (const std::exception&) {
    // The coordinator is gone, too: no one can name the peer.
  }
  return -1;
}

// The token may be set (often it is why the attempt failed), so this message is sent without it.
void Engine::report_failure(const pg::ErrorFields& error, const std::string& left) noexcept {
  try {
    Json event = error_reply(error)["error"];
    event["event"] = "failed";
    event["left"] = left;
    CancelToken never;
    coordinator_.send(to_frame(event), Clock::now() + kLocalPatience, never);
  } catch (...) {
    // The coordinator is gone. Its successor ends the study (recover).
  }
}

}  // namespace pgmpc
