// What: typed, checked access to one object of the study spec.
// Invariants: every refusal is Error(invalid_parameter) whose detail begins with the JSON pointer of the value;
//             a reader knows all keys of its object, so an unknown key never passes.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace pgmpc {

// Error(invalid_parameter) with detail "pointer: found"; without a hint, the one to correct the value there.
[[noreturn]] void refuse_spec(std::string message, const std::string& pointer, const std::string& found,
                              std::string hint = {});

class SpecReader {
 public:
  // keys: all keys the object may hold; an empty list allows any (their names are then data).
  SpecReader(const nlohmann::json& value, std::string pointer, std::initializer_list<std::string_view> keys = {});

  bool has(std::string_view key) const { return object_.contains(key); }
  // Like has, but a null counts as absent: for keys whose default is null.
  bool has_value(std::string_view key) const { return has(key) && !object_.at(std::string(key)).is_null(); }
  const nlohmann::json& required(std::string_view key) const;
  std::string at(std::string_view key) const;  // pointer to the key
  const nlohmann::json& object() const { return object_; }

  bool boolean(std::string_view key, bool absent) const;
  std::int64_t integer(std::string_view key, std::int64_t absent, std::int64_t low, std::int64_t high) const;
  // low < value <= high, or low <= value <= high when closed.
  double number(std::string_view key, double absent, double low, double high, bool closed = false) const;

 private:
  const nlohmann::json& object_;
  std::string pointer_;
};

// The value at pointer as the type named, or a refusal.
std::int64_t spec_integer(const nlohmann::json& value, const std::string& pointer, std::int64_t low, std::int64_t high);
double spec_number(const nlohmann::json& value, const std::string& pointer);
std::string spec_string(const nlohmann::json& value, const std::string& pointer);
// A name of a party, a column or an analysis: [a-z][a-z0-9_]{0,62}.
bool valid_name(std::string_view name);
std::string spec_name(const nlohmann::json& value, const std::string& pointer, std::string_view what);
const nlohmann::json& spec_array(const nlohmann::json& value, const std::string& pointer, std::size_t low,
                                 std::size_t high);

}  // namespace pgmpc
