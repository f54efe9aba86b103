// Implements JSON objects as frames, replies and error fields.
#include "worker/message.h"

#include "json/depth.h"

namespace pgmpc {

Bytes to_frame(const Json& object) {
  // Text of the server may have any encoding. Invalid UTF-8 must not end a worker.
  std::string text = object.dump(-1, ' ', false, Json::error_handler_t::replace);
  return Bytes(text.begin(), text.end());
}

Json parse_object(ByteView frame) {
  Json object = json_too_deep(frame) ? Json() : Json::parse(frame.begin(), frame.end(), nullptr, false);
  if (!object.is_object())
    throw Error(ErrorCode::protocol_violation, "message is not a JSON object, or is nested too deep");
  return object;
}

std::string text_member(const Json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_string())
    throw Error(ErrorCode::protocol_violation, "message is incomplete",
                std::string("member ") + key + (found == object.end() ? " is missing" : " is not text"));
  return found->get<std::string>();
}

std::string text_member_or(const Json& object, const char* key, const char* otherwise) {
  return object.contains(key) ? text_member(object, key) : otherwise;
}

bool flag_member(const Json& object, const char* key) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_boolean())
    throw Error(ErrorCode::protocol_violation, "message is incomplete",
                std::string("member ") + key + " is missing or neither true nor false");
  return found->get<bool>();
}

bool flag_member_or(const Json& object, const char* key, bool otherwise) {
  return object.contains(key) ? flag_member(object, key) : otherwise;
}

Json ok_reply(Json value) { return Json{{"ok", std::move(value)}}; }

Json error_reply(const pg::ErrorFields& error) {
  return Json{
      {"error",
       {{"sqlstate", error.sqlstate}, {"message", error.message}, {"detail", error.detail}, {"hint", error.hint}}}};
}

pg::ErrorFields error_from_json(const Json& error) {
  auto text = [&](const char* key) {
    auto found = error.find(key);
    return found != error.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  return {text("sqlstate"), text("message"), text("detail"), text("hint")};
}

Json value_of_reply(const Json& reply) {
  if (auto error = reply.find("error"); error != reply.end() && error->is_object())
    throw pg::ErrorFieldsException(error_from_json(*error));
  if (auto ok = reply.find("ok"); ok != reply.end()) return *ok;
  throw Error(ErrorCode::protocol_violation, "reply has neither a result nor an error");
}

}  // namespace pgmpc
