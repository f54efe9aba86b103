// Implements reading, printing and comparing of JSON documents.
#include "json/canonical_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"

namespace pgmpc {
namespace {

using nlohmann::json;

// Longer keys are cut in error details. The limit is above every name that is accepted.
constexpr std::size_t kShownKeyBytes = 80;

// Builds the document while it is read, so that duplicate keys and deep nesting are refused before memory grows.
class StrictReader : public nlohmann::json_sax<json> {
 public:
  explicit StrictReader(std::string_view what) : what_(what) {}
  json take() { return std::move(root_); }

  bool null() override { return add(json()); }
  bool boolean(bool value) override { return add(json(value)); }
  bool number_integer(number_integer_t value) override { return add(json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(json(value)); }
  bool number_float(number_float_t value, const string_t&) override { return add(json(value)); }
  bool string(string_t& value) override { return add(json(std::move(value))); }
  bool binary(binary_t&) override { return false; }  // never called for text

  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.key = name;
    if (level.container->contains(name)) {
      throw Error(ErrorCode::invalid_parameter, std::string(what_) + " has a duplicate key", "key " + pointer(),
                  "keep one of them");
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const json::exception& error) override {
    constexpr int kNumberOverflow = 406;
    const std::string place = "at byte " + std::to_string(position);
    if (error.id == kNumberOverflow) {
      throw Error(ErrorCode::invalid_parameter, std::string(what_) + " has a number that is out of range", place,
                  "numbers are double precision");
    }
    throw Error(ErrorCode::invalid_text, std::string(what_) + " is not valid JSON", "syntax error " + place,
                "pass one JSON object");
  }

 private:
  struct Level {
    json* container;
    std::string key;
  };

  // Outer containers do not change while an inner one is open, so the pointers in levels_ stay valid.
  json& place(json&& value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return root_;
    }
    Level& level = levels_.back();
    if (level.container->is_object()) return (*level.container)[level.key] = std::move(value);
    level.container->push_back(std::move(value));
    return level.container->back();
  }

  bool add(json&& value) {
    place(std::move(value));
    return true;
  }

  bool open(json&& container) {
    if (levels_.size() == kMaxJsonDepth) {
      throw Error(ErrorCode::invalid_parameter, std::string(what_) + " is nested too deeply",
                  "more than " + std::to_string(kMaxJsonDepth) + " levels at " + pointer(),
                  "remove the inner levels: no valid value is nested so deeply");
    }
    json& placed = place(std::move(container));
    levels_.push_back({&placed, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  // Pointer of the next value. An array that is not innermost already contains its open element.
  std::string pointer() const {
    std::string result;
    for (const Level& level : levels_) {
      const std::size_t index = level.container->size() - (&level == &levels_.back() ? 0 : 1);
      result = pointer_to(result, level.container->is_object() ? level.key : std::to_string(index));
    }
    return result;
  }

  std::string_view what_;
  json root_;
  std::vector<Level> levels_;
};

// UTF-16 code units of valid UTF-8. The reader has checked the strings that reach this function.
std::u16string utf16_of(std::string_view text) {
  std::u16string units;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < text.size(); ++k) {
      point = (point << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    }
    i += length;
    if (point < 0x10000) {
      units.push_back(static_cast<char16_t>(point));
    } else {
      units.push_back(static_cast<char16_t>(0xd800 + ((point - 0x10000) >> 10)));
      units.push_back(static_cast<char16_t>(0xdc00 + ((point - 0x10000) & 0x3ff)));
    }
  }
  return units;
}

std::vector<std::string> sorted_keys(const json& object) {
  std::vector<std::pair<std::u16string, std::string>> keys;
  for (const auto& item : object.items()) keys.emplace_back(utf16_of(item.key()), item.key());
  std::sort(keys.begin(), keys.end());
  std::vector<std::string> result;
  for (auto& [units, key] : keys) result.push_back(std::move(key));
  return result;
}

void append_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  static constexpr std::string_view kShort = "btnvfr";  // 0x08..0x0d; JSON has no \v
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x08 && byte <= 0x0d && byte != 0x0b) {
      out += '\\';
      out += kShort[byte - 0x08];
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_value(std::string& out, const json& value) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const std::string& key : sorted_keys(value)) {
      if (!std::exchange(first, false)) out += ',';
      append_string(out, key);
      out += ':';
      append_value(out, value.at(key));
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const json& element : value) {
      if (!std::exchange(first, false)) out += ',';
      append_value(out, element);
    }
    out += ']';
  } else if (value.is_string()) {
    append_string(out, value.get_ref<const std::string&>());
  } else if (value.is_number()) {
    out += canonical_number(value.get<double>());
  } else {
    out += value.is_null() ? "null" : value.get<bool>() ? "true" : "false";
  }
}

// Prints d1.d2..dk * 10^(point - 1), where digits is d1..dk, by the rules of ECMAScript.
std::string lay_out(std::string digits, int point) {
  const int count = static_cast<int>(digits.size());
  if (count <= point && point <= 21) return digits + std::string(static_cast<std::size_t>(point - count), '0');
  if (0 < point && point <= 21) return digits.insert(static_cast<std::size_t>(point), 1, '.');
  if (-6 < point && point <= 0) return "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  if (count > 1) digits.insert(1, 1, '.');
  return digits + (point > 0 ? "e+" : "e-") + std::to_string(std::abs(point - 1));
}

}  // namespace

nlohmann::json read_json(std::string_view text, std::size_t max_bytes, std::string_view what) {
  if (text.size() > max_bytes) {
    throw Error(ErrorCode::limit_exceeded, std::string(what) + " is too large",
                std::to_string(text.size()) + " bytes, at most " + std::to_string(max_bytes));
  }
  StrictReader reader(what);
  json::sax_parse(text, &reader);
  return reader.take();
}

std::string canonical_json(const nlohmann::json& value) {
  std::string out;
  append_value(out, value);
  return out;
}

std::string canonical_number(double value) {
  if (!std::isfinite(value)) throw Error(ErrorCode::invalid_parameter, "number is not finite");
  if (value == 0) return "0";  // also for negative zero
  std::array<char, 32> buffer;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(value), std::chars_format::scientific).ptr;
  const std::string text(buffer.data(), end);
  const std::size_t mark = text.find('e');
  std::string digits = text.substr(0, mark);
  if (digits.size() > 1) digits.erase(1, 1);  // the decimal point
  const int exponent = std::stoi(text.substr(mark + 1));
  return (value < 0 ? "-" : "") + lay_out(std::move(digits), exponent + 1);
}

std::string pointer_to(std::string_view pointer, std::string_view key) {
  std::string result(pointer);
  result += '/';
  std::size_t shown = std::min(key.size(), kShownKeyBytes);
  while (shown < key.size() && shown > 0 && (static_cast<unsigned char>(key[shown]) & 0xc0U) == 0x80U) --shown;
  for (const char c : key.substr(0, shown)) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  if (shown < key.size()) result += "...";
  return result;
}

std::string first_json_difference(const nlohmann::json& a, const nlohmann::json& b) {
  struct Search {
    // Returns the pointer, and true when the two differ.
    static std::pair<std::string, bool> run(const std::string& at, const json& a, const json& b) {
      if (a.is_object() && b.is_object()) return objects(at, a, b);
      if (a.is_array() && b.is_array()) return arrays(at, a, b);
      return {at, a != b};
    }
    static std::pair<std::string, bool> objects(const std::string& at, const json& a, const json& b) {
      json both = a;
      both.update(b);
      for (const std::string& key : sorted_keys(both)) {
        const std::string pointer = pointer_to(at, key);
        if (!a.contains(key) || !b.contains(key)) return {pointer, true};
        auto found = run(pointer, a.at(key), b.at(key));
        if (found.second) return found;
      }
      return {at, false};
    }
    static std::pair<std::string, bool> arrays(const std::string& at, const json& a, const json& b) {
      const std::size_t shared = std::min(a.size(), b.size());
      for (std::size_t i = 0; i < shared; ++i) {
        auto found = run(pointer_to(at, std::to_string(i)), a[i], b[i]);
        if (found.second) return found;
      }
      return {a.size() == b.size() ? at : pointer_to(at, std::to_string(shared)), a.size() != b.size()};
    }
  };
  auto [pointer, differs] = Search::run("", a, b);
  if (!differs) return "";
  return pointer.empty() ? "/" : pointer;
}

}  // namespace pgmpc
