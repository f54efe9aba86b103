// Encodes the JSON objects on the coordinator's socket and between coordinators.
//
// Terms
// A reply is {"ok": ...} or {"error": {"sqlstate","message","detail","hint"}}.
//
// Invariants
// The transport bounds the size of what a peer sends before it is parsed.
#pragma once
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "pg/error_fields.h"

namespace pgmpc {

using Json = nlohmann::json;

inline constexpr char kPrivateDirectory[] = "pg_mpc";
inline constexpr char kCoordinatorSocket[] = "pg_mpc/pgsql_tmp.coordinator";

Bytes to_frame(const Json& object);
// Error(protocol_violation) unless the frame is one JSON object.
Json parse_object(ByteView frame);
// Returns the member as text. Error(protocol_violation) when it is missing or no string.
std::string text_member(const Json& object, const char* key);
// The same for a member that may be missing, and for boolean members.
std::string text_member_or(const Json& object, const char* key, const char* otherwise);
bool flag_member(const Json& object, const char* key);
bool flag_member_or(const Json& object, const char* key, bool otherwise);

Json ok_reply(Json value = true);
Json error_reply(const pg::ErrorFields& error);
// Returns the value of "ok". ErrorFieldsException for "error", Error(protocol_violation) for anything else.
Json value_of_reply(const Json& reply);
pg::ErrorFields error_from_json(const Json& error);

}  // namespace pgmpc
