// Fuzzes what a peer may post to /v1/control. An accepted message is one JSON object. In the envelope for the
// coordinator it stays the value of one member: it cannot name another party or add a member.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "transport/router.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgmpc;
  const Bytes body(data, data + size);
  if (!is_control_message(body)) return 0;
  const std::string envelope = control_envelope("zorgttp", body);
  const auto parsed = nlohmann::json::parse(envelope);
  const bool good = parsed.size() == 3 && parsed["op"] == "control" && parsed["party"] == "zorgttp" &&
                    parsed["message"].is_object() && parsed["message"] == nlohmann::json::parse(body);
  if (!good) std::abort();
  return 0;
}
