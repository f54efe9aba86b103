// Gives typed, checked access to one object of the study spec.
//
// Invariants
// A reader knows all keys of its object, so that an unknown key is always refused.
//
// Errors
// Every refusal is Error(invalid_parameter). Its detail begins with the JSON pointer of the value.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pgmpc {

// Throws Error(invalid_parameter) with the detail "pointer: found". An empty hint becomes "correct the value ...".
[[noreturn]] void refuse_spec(std::string message, const std::string& pointer, const std::string& found,
                              std::string hint = {});

// Refuses a value that is not of the type expected, such as "a string".
[[noreturn]] void refuse_spec_type(const nlohmann::json& value, const std::string& pointer,
                                   const std::string& expected);

class SpecReader {
 public:
  // keys: all keys that the object may have. An empty list allows any key; the keys are then data.
  SpecReader(const nlohmann::json& value, std::string pointer, std::initializer_list<std::string_view> keys = {});

  bool has(std::string_view key) const { return object_.contains(key); }
  // As has(), but null counts as absent: for keys whose default is null.
  bool has_value(std::string_view key) const { return has(key) && !object_.at(std::string(key)).is_null(); }
  // Returns the value of the key. Error(invalid_parameter) when it is missing.
  const nlohmann::json& required(std::string_view key) const;
  std::string at(std::string_view key) const;  // pointer to the key
  const nlohmann::json& object() const { return object_; }

  // Each returns `absent` when the key is missing. low <= value <= high.
  bool boolean(std::string_view key, bool absent) const;
  std::int64_t integer(std::string_view key, std::int64_t absent, std::int64_t low, std::int64_t high) const;
  // low < value <= high, or low <= value <= high if closed.
  double number(std::string_view key, double absent, double low, double high, bool closed = false) const;

 private:
  const nlohmann::json& object_;
  std::string pointer_;
};

// Each returns the value as its type, and refuses another type or a value outside of the bounds.
std::int64_t spec_integer(const nlohmann::json& value, const std::string& pointer, std::int64_t low, std::int64_t high);
double spec_number(const nlohmann::json& value, const std::string& pointer);
std::string spec_string(const nlohmann::json& value, const std::string& pointer);
// True for a name of a party, a column or an analysis: [a-z][a-z0-9_]{0,62}.
bool valid_name(std::string_view name);
// what: the kind of name, for the message.
std::string spec_name(const nlohmann::json& value, const std::string& pointer, std::string_view what);
// Checks the number of elements: low..high.
const nlohmann::json& spec_array(const nlohmann::json& value, const std::string& pointer, std::size_t low,
                                 std::size_t high);

}  // namespace pgmpc
