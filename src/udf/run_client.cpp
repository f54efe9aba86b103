// Implements requests to the coordinator.
#include "udf/run_client.h"

namespace pgmpc::run_client {
namespace {

Json parse(const std::string& frame) { return parse_object(view_of(frame)); }

Json value_of(const Json& reply) {
  try {
    return value_of_reply(reply);
  } catch (const pg::ErrorFieldsException& error) {
    pg::throw_as_server_error(error.fields());
  }
}

// Reads step events until the answer. Returns nothing after the timeout.
std::optional<Json> answer_after_events(pg::Rpc& rpc, pg::Rpc::Timeout timeout, const OnRow& on_row) {
  using std::chrono::milliseconds;
  auto begun = LocalConnection::Clock::now();
  for (;;) {
    pg::Rpc::Timeout left;
    if (timeout) {
      auto elapsed = std::chrono::duration_cast<milliseconds>(LocalConnection::Clock::now() - begun);
      left = std::max(milliseconds(0), *timeout - elapsed);
    }
    auto frame = rpc.receive(left);
    if (!frame) return std::nullopt;
    Json message = parse(*frame);
    if (message.value("event", "") != "step") return value_of(message);
    on_row(message.at("row"));
  }
}

}  // namespace

std::optional<Json> ask(const Json& request, pg::Rpc::Timeout timeout) {
  pg::Rpc rpc;
  rpc.send(request.dump());
  auto frame = rpc.receive(timeout);
  if (!frame) return std::nullopt;
  return value_of(parse(*frame));
}

Json run(const std::string& study, bool rehearsal, unsigned int role, const OnRow& on_row) {
  pg::Rpc rpc;
  rpc.send(Json{{"op", "start"}, {"study", study}, {"rehearsal", rehearsal}, {"role", role}, {"owner", true}}.dump());
  Json started = value_of(parse(*rpc.receive(std::nullopt)));
  rpc.send(Json{{"op", "wait"}, {"study", study}, {"attempt", text_member(started, "attempt")}}.dump());
  return *answer_after_events(rpc, std::nullopt, on_row);
}

std::optional<std::string> wait(const std::string& study, pg::Rpc::Timeout timeout) {
  pg::Rpc rpc;
  rpc.send(Json{{"op", "wait"}, {"study", study}}.dump());
  auto answer = answer_after_events(rpc, timeout, [](const Json&) {});
  if (!answer) return std::nullopt;
  return text_member(*answer, "state");
}

}  // namespace pgmpc::run_client
