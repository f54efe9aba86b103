// Reads small JSON documents strictly, prints their canonical text (RFC 8785, "JCS") and compares them.
//
// Terms
// In canonical text, keys are in the order of their UTF-16 code units, numbers are printed as by ECMAScript, and there
// is no white space. A pointer is a JSON pointer (RFC 6901) to a value of the document, "" for the document itself.
//
// Invariants
// Two documents with the same meaning have the same canonical text. Reading refuses duplicate keys, nesting deeper than
// kMaxJsonDepth and numbers outside the range of a double, so that all readers agree on what was approved.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace pgmpc {

inline constexpr std::size_t kMaxJsonDepth = 16;

// Parses `text`. `what` names the document in messages. Error(limit_exceeded) above max_bytes, Error(invalid_text) when
// the text is not JSON, Error(invalid_parameter) for duplicate keys, depth and range. The detail names the place.
nlohmann::json read_json(std::string_view text, std::size_t max_bytes, std::string_view what);

// Error(invalid_parameter) for a number that is not finite.
std::string canonical_json(const nlohmann::json& value);

// Prints the shortest digits that round-trip (ECMAScript Number::toString). Error(invalid_parameter) unless finite.
std::string canonical_number(double value);

// Returns pointer + "/" + key with the escapes of RFC 6901. Control characters become question marks; long keys
// are cut.
std::string pointer_to(std::string_view pointer, std::string_view key);

// Returns the pointer of the first difference in canonical order, "/" for the document itself, "" when equal.
std::string first_json_difference(const nlohmann::json& a, const nlohmann::json& b);

}  // namespace pgmpc
