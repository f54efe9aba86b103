// What: the JSON objects on the coordinator's socket and between coordinators.
// Terms: reply = {"ok": ...} or {"error": {"sqlstate","message","detail","hint"}}.
// Invariants: parsing throws Error(protocol_violation) for anything but one JSON object; what comes from a peer is
//             bounded by the transport before it is parsed.
#pragma once
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "pg/fault.h"

namespace pgmpc {

using Json = nlohmann::json;

inline constexpr char kPrivateDirectory[] = "pg_mpc";
inline constexpr char kCoordinatorSocket[] = "pg_mpc/pgsql_tmp.coordinator";

Bytes to_frame(const Json& object);
Json parse_object(ByteView frame);
// The member as text; Error(protocol_violation) when it is missing or no string.
std::string text_member(const Json& object, const char* key);
// The same for a member that may be missing, and for a boolean one.
std::string text_member_or(const Json& object, const char* key, const char* otherwise);
bool flag_member(const Json& object, const char* key);
bool flag_member_or(const Json& object, const char* key, bool otherwise);

Json ok_reply(Json value = true);
Json error_reply(const pg::Fault& fault);
// The value of "ok"; FaultError for "error", Error(protocol_violation) for anything else.
Json value_of_reply(const Json& reply);
pg::Fault fault_of_json(const Json& error);

}  // namespace pgmpc
