// Implements calls to other nodes.
#include "worker/peer_client.h"

#include "pg/guc.h"
#include "worker/peer_answer.h"

namespace pgmpc {
namespace {

Json unreachable_reply(const std::string& party, const std::string& cause) {
  Json reply = error_reply({"MP003", "party " + party + " cannot be reached", cause,
                            "SELECT * FROM mpc.ping_peer('" + party + "') tries again."});
  reply["unreachable"] = true;
  return reply;
}

// Returns the body of status 200 as an object, unchanged, and everything else as unreachable.
Json reply_of(const std::string& party, const HttpResult& result) {
  if (result.status == 0) return unreachable_reply(party, result.error_cause);
  if (result.status == 503 || result.status == 502)
    return unreachable_reply(party, "peer " + party + ": its coordinator is not running");
  if (result.status != 200)
    return unreachable_reply(party, "peer " + party + ": HTTP status " + std::to_string(result.status));
  try {
    Json reply = parse_object(result.body);
    reply.erase("unreachable");
    return reply;
  } catch (const Error& error) {
    return unreachable_reply(party, "peer " + party + ": " + error.message());
  }
}

Peer address_of(const tables::KnownPeer& peer) {
  return {peer.party, peer.url, peer.fingerprint, peer.next_fingerprint};
}

double wall_clock_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double milliseconds_since(EventLoop::Clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(EventLoop::Clock::now() - begun).count();
}

}  // namespace

void PeerClient::load_identity() {
  try {
    auto identity = Identity::load(guc::certificate_file(), guc::private_key_file());
    trust_ = load_trust_store(guc::ca_file(), guc::crl_file());
    identity_ = std::move(identity);
    if (client_)
      client_->set_identity(identity_, trust_);
    else
      client_ = std::make_shared<HttpClient>(loop_, identity_, trust_);
    problem_.reset();
  } catch (...) {
    problem_ = pg::current_error();
  }
}

std::string PeerClient::identity_problem_text() const {
  if (!problem_) return {};
  return problem_->message + (problem_->detail.empty() ? "" : ": " + problem_->detail);
}

void PeerClient::set_peers(std::vector<tables::KnownPeer> peers) {
  peers_.clear();
  for (tables::KnownPeer& peer : peers) peers_[peer.party] = std::move(peer);
}

const tables::KnownPeer* PeerClient::callee(const std::string& party, const Callback& callback) {
  Json refusal;
  auto found = peers_.find(party);
  if (found == peers_.end())
    refusal = error_reply({"42704", "peer \"" + party + "\" does not exist",
                           "View mpc.parties lists the peers of this node.", "Add it with mpc.add_peer."});
  else if (!client_)
    refusal = unreachable_reply(party, "this node's own certificate is not loaded: " + identity_problem_text());
  else
    return &found->second;
  loop_.post([callback, refusal] { callback(refusal); });
  return nullptr;
}

void PeerClient::control(const std::string& party, const Json& message, std::chrono::milliseconds timeout,
                         Callback callback) {
  const tables::KnownPeer* peer = callee(party, callback);
  if (peer == nullptr) return;
  client_->post(address_of(*peer), "/v1/control", to_frame(message), timeout, [party, callback](HttpResult result) {
    Json reply = reply_of(party, result);
    callback(unreachable(reply) ? reply : checked_reply(party, reply));
  });
}

void PeerClient::ping(const std::string& party, std::chrono::milliseconds timeout, Callback callback) {
  const tables::KnownPeer* peer = callee(party, callback);
  if (peer == nullptr) return;
  Peer target = address_of(*peer);
  // The first request opens the connection. The second, on the open connection, measures the round trip.
  auto probe = std::make_shared<HttpClient>(loop_, identity_, trust_, 1);
  auto done = [this, probe, callback](const Json& reply) {
    loop_.post([probe] {});  // keeps the client until its own callback has returned
    callback(reply);
  };
  probe->get(target, "/v1/ping", timeout, [probe = probe.get(), target, timeout, done](HttpResult first) {
    Json reply = reply_of(target.party, first);
    if (!unreachable(reply) && reply.value("party", Json()) != target.party)
      reply = unreachable_reply(target.party, "the node at " + target.url + " does not identify itself as this party");
    if (unreachable(reply)) return done(reply);
    auto begun = EventLoop::Clock::now();
    probe->get(target, "/v1/ping", timeout, [target, begun, done](HttpResult second) {
      double elapsed = milliseconds_since(begun);
      Json answer = reply_of(target.party, second);
      if (unreachable(answer)) return done(answer);
      Json found{{"round_trip_ms", elapsed}, {"clock_ahead_ms", nullptr}};
      // A node of an older version does not send its time.
      if (const auto time = answer.find("time_ms"); time != answer.end() && time->is_number())
        found["clock_ahead_ms"] = time->get<double>() - (wall_clock_ms() - elapsed / 2);
      done(ok_reply(std::move(found)));
    });
  });
}

}  // namespace pgmpc
