// What: strict reading of small JSON documents, their canonical text (RFC 8785, "JCS"), and their comparison.
// Terms: canonical = keys in the order of their UTF-16 code units, numbers as ECMAScript prints them, no white space;
//        pointer = JSON pointer (RFC 6901) to a value of the document, "" for the document itself.
// Invariants: two documents with the same meaning have the same canonical text; reading refuses duplicate keys, deep
//             nesting and numbers that no double holds, so no two readers can disagree about what was approved.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace pgmpc {

inline constexpr std::size_t kMaxJsonDepth = 16;

// Error(limit_exceeded) above max_bytes, Error(invalid_text) when it is not JSON, Error(invalid_parameter) for what
// JSON allows and we do not; the detail names the place. what = the word for the document in messages.
nlohmann::json read_json(std::string_view text, std::size_t max_bytes, std::string_view what);

std::string canonical_json(const nlohmann::json& value);

// ECMAScript Number::toString (the shortest digits that round-trip). Error(invalid_parameter) unless finite.
std::string canonical_number(double value);

// pointer + "/" + key with the escapes of RFC 6901; control characters and the tail of long keys are not repeated.
std::string pointer_to(std::string_view pointer, std::string_view key);

// Pointer of the first difference in canonical order, "" when equal.
std::string first_json_difference(const nlohmann::json& a, const nlohmann::json& b);

}  // namespace pgmpc
