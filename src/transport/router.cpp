// Implements the routes of the listener and its connections to engines and coordinator.
#include "transport/router.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/witness.h"
#include "json/depth.h"
#include "transport/data_frame.h"

namespace pgmpc {

namespace {
// How long the listener busy-polls after a data message. The engine decides about the message in less time, and often
// has its answer to the peer ready.
constexpr std::chrono::microseconds kListenerBusyPoll{100};
using Json = nlohmann::json;
constexpr std::string_view kDataPath = "/v1/data/";
constexpr std::size_t kMaxControl = 1u << 20;
constexpr std::chrono::milliseconds kMaxReconnectDelay{5000};

ByteView bytes_of(const std::string& text) { return view_of(std::string_view(text)); }

bool is_attempt(std::string_view text) {
  return text.size() == 32 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string error_json(const std::string& sqlstate, const std::string& message) {
  return Json{{"error", {{"sqlstate", sqlstate}, {"message", message}, {"detail", ""}, {"hint", ""}}}}.dump();
}
}  // namespace

bool is_control_message(const Bytes& body) {
  // The JSON library takes a zero byte for the end of its input, but the envelope would include what follows it.
  const bool ends_early = std::find(body.begin(), body.end(), std::uint8_t{0}) != body.end();
  return !body.empty() && body.front() == '{' && body.size() <= kMaxControl && !ends_early && !json_too_deep(body) &&
         Json::accept(body.begin(), body.end());
}

std::string control_envelope(const std::string& party, const Bytes& body) {
  std::string envelope = "{\"op\":\"control\",\"party\":" + Json(party).dump() + ",\"message\":";
  envelope.append(body.begin(), body.end());
  return envelope + "}";
}

Bytes forward_head(std::uint64_t id, const std::string& party) {
  Bytes out;
  Writer(out).u64(id).sized(bytes_of(party));
  return out;
}

Bytes encode_verdict(std::uint64_t id, int status) {
  Bytes out;
  Writer(out).u64(id).u16(static_cast<std::uint16_t>(status));
  return out;
}

// The cached connection to one engine, and the requests that wait for its verdict.
struct Router::Engine {
  std::unique_ptr<LocalClient> client;
  std::map<std::uint64_t, Responder> waiting;

  void take_verdict(const Bytes& frame) {
    Reader reader(frame);
    std::uint64_t id = reader.u64();
    int status = reader.u16();
    reader.expect_end();
    auto found = waiting.find(id);
    if (found == waiting.end()) return;
    Responder responder = found->second;
    waiting.erase(found);
    responder.respond(status);
  }
};

// One control message that the coordinator is handling.
struct Router::Control {
  std::unique_ptr<LocalClient> client;
  Responder responder;
  EventLoop::TimerId timer = 0;
};

Router::Router(EventLoop& loop, HttpServer& server, RouterConfig config)
    : loop_(loop), server_(server), config_(std::move(config)), reconnect_delay_(config_.reconnect_delay) {
  server_.set_handler([this](Request request, Responder responder) { handle(std::move(request), responder); });
  connect_coordinator();
}

Router::~Router() {
  server_.set_handler(nullptr);
  loop_.cancel(reconnect_timer_);
  for (auto& [id, control] : controls_) loop_.cancel(control->timer);
}

void Router::handle(Request request, Responder responder) {
  if (request.path == "/v1/ping") {
    if (request.method != HttpMethod::get) return responder.respond(405);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    return responder.respond_json(
        200, Json{{"party", config_.party}, {"version", config_.version}, {"time_ms", time_ms}}.dump());
  }
  if (request.method != HttpMethod::post) return responder.respond(404);
  witness_wire(request.body);
  if (request.path == "/v1/control") return handle_control(std::move(request), responder);
  if (request.path.starts_with(kDataPath)) {
    std::string attempt = request.path.substr(kDataPath.size());
    if (is_attempt(attempt)) return handle_data(attempt, std::move(request), responder);
  }
  responder.respond(404);
}

void Router::handle_data(const std::string& attempt, Request request, Responder responder) {
  if (request.body.size() > kMaxDataFrame) return responder.respond(413);
  Engine* engine = engine_of(attempt);
  if (engine == nullptr) return responder.respond(503);
  std::uint64_t id = ++last_id_;
  engine->waiting.emplace(id, responder);
  engine->client->send(forward_head(id, request.party), request.body, std::move(request.hold));
  loop_.busy_poll_for(kListenerBusyPoll);
}

Router::Engine* Router::engine_of(const std::string& attempt) {
  auto found = engines_.find(attempt);
  if (found != engines_.end()) return found->second.get();
  auto engine = std::make_shared<Engine>();
  try {
    engine->client = std::make_unique<LocalClient>(
        loop_, config_.directory + "/" + engine_socket_name(attempt),
        [raw = engine.get()](Bytes frame) { raw->take_verdict(frame); }, [this, attempt] { drop_engine(attempt); });
  } catch (const Error&) {
    return nullptr;  // the engine is not running
  }
  engines_[attempt] = engine;
  return engine.get();
}

void Router::drop_engine(const std::string& attempt) {
  auto found = engines_.find(attempt);
  if (found == engines_.end()) return;
  auto engine = found->second;
  engines_.erase(found);
  for (auto& [id, responder] : engine->waiting) responder.respond(503);
}

void Router::handle_control(Request request, Responder responder) {
  if (!is_control_message(request.body)) return responder.respond(400);
  std::uint64_t id = ++last_id_;
  auto control = std::make_shared<Control>(Control{nullptr, responder, 0});
  try {
    control->client = std::make_unique<LocalClient>(
        loop_, config_.directory + "/pgsql_tmp.coordinator",
        [this, id, responder](Bytes frame) mutable {
          responder.respond(200, std::move(frame), "application/json");
          drop_control(id);
        },
        [this, id, responder]() mutable {
          responder.respond_json(502, error_json("MP003", "the coordinator stopped before it answered"));
          drop_control(id);
        });
  } catch (const Error&) {
    return responder.respond_json(503, error_json("MP003", "the coordinator is not running"));
  }
  controls_[id] = control;
  control->timer = loop_.after(config_.control_timeout, [this, id, responder]() mutable {
    responder.respond_json(503, error_json("MP001", "the coordinator did not answer in time"));
    drop_control(id);
  });
  control->client->send(bytes_of(control_envelope(request.party, request.body)));
}

void Router::drop_control(std::uint64_t id) {
  auto found = controls_.find(id);
  if (found == controls_.end()) return;
  auto control = found->second;  // keeps it alive until its own callback returns
  controls_.erase(found);
  loop_.cancel(control->timer);
}

void Router::connect_coordinator() {
  reconnect_timer_ = 0;
  try {
    coordinator_ = std::make_unique<LocalClient>(
        loop_, config_.directory + "/pgsql_tmp.coordinator", [this](Bytes frame) { take_peers(frame); },
        [this] { coordinator_lost(); });
    coordinator_->send(bytes_of(Json{{"op", "listener"}, {"address_problems", config_.address_problems}}.dump(
        -1, ' ', false, Json::error_handler_t::replace)));
    reconnect_delay_ = config_.reconnect_delay;
  } catch (const Error&) {
    coordinator_lost();
  }
}

// The known peers stay pinned: running attempts continue without the coordinator.
void Router::coordinator_lost() {
  coordinator_.reset();
  reconnect_timer_ = loop_.after(reconnect_delay_, [this] { connect_coordinator(); });
  reconnect_delay_ = std::min(reconnect_delay_ * 2, kMaxReconnectDelay);
}

void Router::take_peers(const Bytes& frame) {
  Json message = Json::parse(frame.begin(), frame.end(), nullptr, false);
  if (!message.is_object() || message.value("op", Json()) != "peers") return;
  PinnedPeers peers;
  for (const auto& peer : message.at("peers"))
    peers[peer.at("fingerprint").get<std::string>()] = peer.at("party").get<std::string>();
  server_.set_peers(std::move(peers));
}

}  // namespace pgmpc
