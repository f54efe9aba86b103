// Implements the checked access to values of a study spec.
#include "json/spec_reader.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "json/canonical_json.h"

namespace pgmpc {
namespace {

using nlohmann::json;

std::string type_of(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_string()) return "a string";
  if (value.is_boolean()) return "a boolean";
  return value.is_null() ? "null" : "a number";
}

std::string join(const std::vector<std::string_view>& words) {
  std::string result;
  for (const std::string_view word : words) result += (result.empty() ? "" : ", ") + std::string(word);
  return result;
}

void check_keys(const json& object, const std::string& pointer, std::initializer_list<std::string_view> keys) {
  for (const auto& item : object.items()) {
    if (std::find(keys.begin(), keys.end(), item.key()) != keys.end()) continue;
    std::vector<std::string_view> sorted(keys);
    std::sort(sorted.begin(), sorted.end());
    throw Error(ErrorCode::invalid_parameter, "unknown key in study spec", pointer_to(pointer, item.key()),
                "valid keys: " + join(sorted));
  }
}

}  // namespace

void refuse_spec_type(const json& value, const std::string& pointer, const std::string& expected) {
  refuse_spec("value of the wrong type in study spec", pointer, "found " + type_of(value) + ", expected " + expected);
}

void refuse_spec(std::string message, const std::string& pointer, const std::string& found, std::string hint) {
  if (hint.empty()) hint = "correct the value at this JSON pointer of the spec";
  throw Error(ErrorCode::invalid_parameter, std::move(message), (pointer.empty() ? "/" : pointer) + ": " + found,
              std::move(hint));
}

SpecReader::SpecReader(const json& value, std::string pointer, std::initializer_list<std::string_view> keys)
    : object_(value), pointer_(std::move(pointer)) {
  if (!value.is_object()) refuse_spec_type(value, pointer_, "an object");
  if (keys.size() > 0) check_keys(value, pointer_, keys);
}

const json& SpecReader::required(std::string_view key) const {
  if (!has(key)) {
    throw Error(ErrorCode::invalid_parameter, "study spec lacks a required key", at(key),
                "add the key: it has no default");
  }
  return object_.at(std::string(key));
}

std::string SpecReader::at(std::string_view key) const { return pointer_to(pointer_, key); }

bool SpecReader::boolean(std::string_view key, bool absent) const {
  if (!has(key)) return absent;
  const json& value = required(key);
  if (!value.is_boolean()) refuse_spec_type(value, at(key), "true or false");
  return value.get<bool>();
}

std::int64_t SpecReader::integer(std::string_view key, std::int64_t absent, std::int64_t low, std::int64_t high) const {
  return has(key) ? spec_integer(required(key), at(key), low, high) : absent;
}

double SpecReader::number(std::string_view key, double absent, double low, double high, bool closed) const {
  if (!has(key)) return absent;
  const double value = spec_number(required(key), at(key));
  if (value > high || value < low || (!closed && value == low)) {
    refuse_spec("value out of range in study spec", at(key), canonical_number(value),
                std::string(closed ? "at least " : "more than ") + canonical_number(low) + ", at most " +
                    canonical_number(high));
  }
  return value;
}

std::int64_t spec_integer(const json& value, const std::string& pointer, std::int64_t low, std::int64_t high) {
  if (!value.is_number()) refuse_spec_type(value, pointer, "an integer");
  // 2.0 and 2 are the same JSON number. Every bound is far below 2^53, so the comparison as double is exact.
  const double number = value.get<double>();
  if (number != std::floor(number)) {
    refuse_spec("value of the wrong type in study spec", pointer, canonical_number(number) + " is not an integer");
  }
  if (number < static_cast<double>(low) || number > static_cast<double>(high)) {
    refuse_spec("value out of range in study spec", pointer, canonical_number(number),
                "at least " + std::to_string(low) + ", at most " + std::to_string(high));
  }
  return static_cast<std::int64_t>(number);
}

double spec_number(const json& value, const std::string& pointer) {
  if (!value.is_number()) refuse_spec_type(value, pointer, "a number");
  return value.get<double>();
}

std::string spec_string(const json& value, const std::string& pointer) {
  if (!value.is_string()) refuse_spec_type(value, pointer, "a string");
  return value.get<std::string>();
}

bool valid_name(std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 63;
  if (name.empty() || name.size() > kMaxNameBytes || name[0] < 'a' || name[0] > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::string spec_name(const json& value, const std::string& pointer, std::string_view what) {
  std::string name = spec_string(value, pointer);
  if (!valid_name(name)) {
    refuse_spec("invalid " + std::string(what) + " name in study spec", pointer,
                "\"" + pointer_to("", name).substr(1) + "\"",
                "names begin with a to z and hold a to z, 0 to 9 and _, at most 63 characters");
  }
  return name;
}

const json& spec_array(const json& value, const std::string& pointer, std::size_t low, std::size_t high) {
  if (!value.is_array()) refuse_spec_type(value, pointer, "an array");
  if (value.size() < low || value.size() > high) {
    refuse_spec("array of the wrong size in study spec", pointer, std::to_string(value.size()) + " elements",
                "at least " + std::to_string(low) + ", at most " + std::to_string(high));
  }
  return value;
}

}  // namespace pgmpc
