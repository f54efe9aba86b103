#include "linkage/names.h"

#include <algorithm>
#include <string_view>

#include "linkage/latin_letters.h"

namespace pgmpc {
namespace {

// Prefixes of surnames in the Dutch registration of persons (table 36), one word each.
constexpr std::string_view kPrefixes[] = {
    "A",     "AAN", "AL",     "AM",     "AUF", "AUS", "BEN", "BIJ",  "BIN",  "D",  "DA",  "DAL", "DALLA", "DE",
    "DEGLI", "DEI", "DEL",    "DELLA",  "DEN", "DER", "DES", "DI",   "DIE",  "DO", "DON", "DOS", "DU",    "EL",
    "HET",   "I",   "IM",     "IN",     "L",   "LA",  "LAS", "LE",   "LES",  "LO", "LOS", "OF",  "ONDER", "OP",
    "OVER",  "S",   "T",      "TE",     "TEN", "TER", "THO", "THOE", "THOR", "TO", "TOE", "TOT", "UIT",   "UIJT",
    "UNTER", "VAN", "VANDEN", "VANDER", "VER", "VOM", "VON", "VOOR", "VOR",  "ZU", "ZUM", "ZUR"};

bool is_prefix(std::string_view word) {
  return std::find(std::begin(kPrefixes), std::end(kPrefixes), word) != std::end(kPrefixes);
}

bool ends_word(char32_t c) {
  return is_blank(c) || c == '\'' || c == '`' || c == 0x2018 || c == 0x2019 || c == '.' || c == ',';
}
bool is_dash(char32_t c) { return c == '-' || c == '/' || c == '+' || (c >= 0x2010 && c <= 0x2015); }

// Appends the words from `at` to the first dash, without leading prefixes. prefix receives the last leading prefix, for
// a name that has nothing else.
Refusal first_name_part(const SecretCodePoints& text, std::size_t& at, SecretBytes& out, SecretBytes& prefix) {
  bool leading = true;
  SecretBytes word;
  const auto end_word = [&] {
    if (word.empty()) return;
    if (leading && is_prefix({reinterpret_cast<const char*>(word.data()), word.size()})) {
      prefix = word.clone();
    } else {
      leading = false;
      out.insert(out.end(), word.begin(), word.end());
    }
    word.clear();
  };
  for (; at < text.size() && !is_dash(text[at]); at++) {
    if (ends_word(text[at])) {
      end_word();
      continue;
    }
    if (const Refusal refusal = append_letters(text[at], word); refusal != Refusal::kept) return refusal;
  }
  end_word();
  return Refusal::kept;
}

bool one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

// Returns the digits of one letter between its neighbours (0 at the ends).
std::string_view sound_of(char c, char before, char after, bool initial) {
  if (one_of(c, "AEIJOUY")) return "0";
  if (c == 'B') return "1";
  if (c == 'P') return after == 'H' ? "3" : "1";
  if (one_of(c, "DT")) return after != 0 && one_of(after, "CSZ") ? "8" : "2";
  if (one_of(c, "FVW")) return "3";
  if (one_of(c, "GKQ")) return "4";
  if (c == 'C') {
    if (initial) return after != 0 && one_of(after, "AHKLOQRUX") ? "4" : "8";
    if (one_of(before, "SZ")) return "8";
    return after != 0 && one_of(after, "AHKOQUX") ? "4" : "8";
  }
  if (c == 'X') return !initial && one_of(before, "CKQ") ? "8" : "48";
  if (c == 'L') return "5";
  if (one_of(c, "MN")) return "6";
  if (c == 'R') return "7";
  if (one_of(c, "SZ")) return "8";
  return "";  // H, and characters that are no letter
}

}  // namespace

Refusal append_letters(char32_t code, SecretBytes& out) {
  if (code < 0x80) {
    if (code >= 'a' && code <= 'z') code = code - 'a' + 'A';
    if (code >= 'A' && code <= 'Z') out.push_back(static_cast<std::uint8_t>(code));
    return Refusal::kept;
  }
  if (const LatinLetter* letter = latin_letter(code)) {
    for (const char* c = letter->letters; *c != '\0'; c++) out.push_back(static_cast<std::uint8_t>(*c));
    return Refusal::kept;
  }
  const bool letter_of_its_own = code == 0xAA || code == 0xB5 || code == 0xBA;
  const bool silent = is_blank(code) || is_invisible(code) || is_mark(code) || (code < 0xC0 && !letter_of_its_own) ||
                      code == 0xD7 || code == 0xF7 || (code >= 0x2B0 && code <= 0x2FF) ||
                      (code >= 0x2010 && code <= 0x205E);
  return silent ? Refusal::kept : Refusal::letters;
}

Refusal surname_nl(const SecretCodePoints& text, SecretBytes& out) {
  SecretBytes prefix;
  for (std::size_t at = 0; at < text.size() && out.empty(); at++)
    if (const Refusal refusal = first_name_part(text, at, out, prefix); refusal != Refusal::kept) return refusal;
  if (out.empty()) out = std::move(prefix);
  return out.empty() ? Refusal::empty : Refusal::kept;
}

void cologne_sound(SecretBytes& name) {
  SecretBytes code;
  char previous = 0;  // the digit before, whatever letters without a digit stood between
  for (std::size_t i = 0; i < name.size(); i++) {
    const char c = static_cast<char>(name[i]);
    const char before = i > 0 ? static_cast<char>(name[i - 1]) : '\0';
    const char after = i + 1 < name.size() ? static_cast<char>(name[i + 1]) : '\0';
    for (char digit : sound_of(c, before, after, i == 0)) {
      if (digit != previous && (digit != '0' || code.empty())) code.push_back(static_cast<std::uint8_t>(digit));
      previous = digit;
    }
  }
  name = std::move(code);
}

}  // namespace pgmpc
