#include "linkage/forms.h"

#include <algorithm>

#include "base/error.h"
#include "linkage/latin_letters.h"
#include "linkage/names.h"
#include "linkage/utf8.h"

namespace pgmpc {
namespace {

constexpr std::array<std::pair<FormKind, std::string_view>, 8> kNames = {{{FormKind::bsn, "bsn"},
                                                                          {FormKind::number, "number"},
                                                                          {FormKind::date, "date"},
                                                                          {FormKind::letters, "letters"},
                                                                          {FormKind::surname_nl, "surname_nl"},
                                                                          {FormKind::postcode_nl, "postcode_nl"},
                                                                          {FormKind::code, "code"},
                                                                          {FormKind::text, "text"}}};

bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_letter(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char32_t upper(char32_t c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; }

// Collects the digits of a number as people write it: points, slashes, blanks and dashes between them are skipped,
// other characters are refused.
Refusal digits_of(const SecretCodePoints& text, PartType type, SecretBytes& digits) {
  for (char32_t c : text) {
    if (is_digit(c))
      digits.push_back(static_cast<std::uint8_t>(c));
    else if (type != PartType::text || !(is_blank(c) || is_invisible(c) || c == '.' || c == '-' || c == '/'))
      return Refusal::shape;
  }
  return digits.empty() ? Refusal::empty : Refusal::kept;
}

Refusal bsn(SecretBytes& digits) {
  if (digits.size() == 8) digits.insert(digits.begin(), '0');
  if (digits.size() != 9) return Refusal::shape;
  if (std::all_of(digits.begin(), digits.end(), [&](std::uint8_t c) { return c == digits[0]; }))
    return Refusal::stands_for_none;
  int sum = 0;
  for (int i = 0; i < 9; i++) sum += (digits[static_cast<std::size_t>(i)] - '0') * (i < 8 ? 9 - i : -1);
  return sum % 11 == 0 ? Refusal::kept : Refusal::check_digit;
}

Refusal number(const IdentifierForm& form, SecretBytes& digits) {
  digits.erase(digits.begin(), std::find_if(digits.begin(), digits.end(), [](std::uint8_t c) { return c != '0'; }));
  if (digits.empty()) return Refusal::stands_for_none;
  const auto width = static_cast<std::size_t>(form.width);
  if (width > 0 && digits.size() > width) return Refusal::shape;
  if (width > digits.size()) digits.insert(digits.begin(), width - digits.size(), '0');
  return Refusal::kept;
}

bool exists(int year, int month, int day) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

// Takes YYYY-MM-DD, YYYYMMDD and DD-MM-YYYY with - . or / between the fields; of a timestamp, its day.
Refusal date(const IdentifierForm& form, PartType type, const SecretCodePoints& text, SecretBytes& out) {
  std::array<int, 3> fields{}, sizes{};
  int count = 0, separators = 0;
  auto at = std::find_if_not(text.begin(), text.end(), is_blank);
  if (at == text.end()) return Refusal::empty;
  for (; at != text.end(); ++at) {
    if (is_digit(*at)) {
      if (sizes[static_cast<std::size_t>(count)]++ == 8) return Refusal::shape;
      int& field = fields[static_cast<std::size_t>(count)];
      field = field * 10 + static_cast<int>(*at - '0');
    } else if ((*at == '-' || *at == '.' || *at == '/') && count < 2 && sizes[static_cast<std::size_t>(count)] > 0) {
      count++;
      separators++;
    } else {
      break;
    }
  }
  // After the day: nothing, or the time of a timestamp.
  if (std::find_if_not(at, text.end(), is_blank) != text.end() && (type != PartType::date || *at != ' '))
    return Refusal::shape;
  int year, month, day;
  if (separators == 0 && sizes[0] == 8) {
    year = fields[0] / 10000, month = fields[0] / 100 % 100, day = fields[0] % 100;
  } else if (separators == 2 && sizes[0] == 4 && sizes[1] <= 2 && sizes[2] <= 2 && sizes[2] > 0) {
    year = fields[0], month = fields[1], day = fields[2];
  } else if (separators == 2 && sizes[2] == 4 && sizes[0] <= 2 && sizes[1] <= 2) {
    const bool day_first = form.order == DateOrder::day_month;
    year = fields[2], month = fields[day_first ? 1 : 0], day = fields[day_first ? 0 : 1];
  } else {
    return Refusal::shape;
  }
  if (type == PartType::date && std::find(at, text.end(), static_cast<char32_t>('B')) != text.end())
    return Refusal::calendar;  // years before Christ
  if (!exists(year, month, day)) return Refusal::calendar;
  if (form.no_defaults && month == 1 && day == 1) return Refusal::stands_for_none;
  for (int divisor = 10000000, value = year * 10000 + month * 100 + day; divisor > 0; divisor /= 10)
    out.push_back(static_cast<std::uint8_t>('0' + value / divisor % 10));
  return Refusal::kept;
}

Refusal letters(const SecretCodePoints& text, SecretBytes& out) {
  for (char32_t c : text)
    if (const Refusal refusal = append_letters(c, out); refusal != Refusal::kept) return refusal;
  return out.empty() ? Refusal::empty : Refusal::kept;
}

Refusal postcode_nl(const IdentifierForm& form, const SecretCodePoints& text, SecretBytes& out) {
  for (char32_t c : text) {
    if (is_blank(c) || is_invisible(c)) continue;
    const bool wanted = out.size() < 4 ? is_digit(c) : out.size() < 6 && is_letter(c);
    if (!wanted) return out.empty() && c == U'-' ? Refusal::empty : Refusal::shape;
    out.push_back(static_cast<std::uint8_t>(upper(c)));
  }
  if (out.empty()) return Refusal::empty;
  if (out.size() != 6 && !(form.area && out.size() == 4)) return Refusal::shape;
  if (out[0] == '0') return Refusal::shape;
  if (form.area) out.resize(4);
  return Refusal::kept;
}

// Puts one blank between words and none at the ends. Letters of the table are decomposed, marks are in canonical order.
void plain_text(const IdentifierForm& form, const SecretCodePoints& text, SecretBytes& out) {
  SecretCodePoints plain;
  bool blank = false;
  const auto put = [&](char32_t c) {
    if (blank && !plain.empty()) plain.push_back(' ');
    blank = false;
    plain.push_back(c);
  };
  for (char32_t c : text) {
    if (is_invisible(c)) continue;
    if (is_blank(c)) {
      blank = true;
      continue;
    }
    const LatinLetter* letter = latin_letter(c);
    if (form.fold && is_mark(c)) continue;
    if (letter == nullptr) {
      put(form.fold ? upper(c) : c);
      continue;
    }
    const std::string_view spelt = form.fold ? letter->letters : letter->decomposed;
    const auto expanded = code_points(view_of(spelt));
    for (char32_t part : *expanded) put(part);
  }
  for (auto run = plain.begin(); run != plain.end();) {
    const auto marks = std::find_if(run, plain.end(), is_mark);
    run = std::find_if_not(marks, plain.end(), is_mark);
    std::stable_sort(marks, run, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
  }
  for (char32_t c : plain) append_utf8(out, c);
}

Refusal code(const IdentifierForm& form, const SecretCodePoints& text, SecretBytes& out) {
  SecretBytes written;
  IdentifierForm folded;
  folded.fold = true;
  plain_text(folded, text, written);
  if (written.empty()) return Refusal::empty;
  const std::string_view seen{reinterpret_cast<const char*>(written.data()), written.size()};
  for (const auto& [from, to] : form.codes) {
    // A meaning stands for itself (second loop), unless it is written for something else.
    if (seen != from) continue;
    out.assign(to.begin(), to.end());
    return Refusal::kept;
  }
  for (const auto& [from, to] : form.codes)
    if (seen == to) {
      out.assign(to.begin(), to.end());
      return Refusal::kept;
    }
  return Refusal::unknown_code;
}

Refusal form_of(const IdentifierForm& form, PartType type, const SecretCodePoints& text, SecretBytes& out) {
  switch (form.kind) {
    case FormKind::bsn:
    case FormKind::number: {
      if (const Refusal refusal = digits_of(text, type, out); refusal != Refusal::kept) return refusal;
      return form.kind == FormKind::bsn ? bsn(out) : number(form, out);
    }
    case FormKind::date:
      return date(form, type, text, out);
    case FormKind::letters:
      return letters(text, out);
    case FormKind::surname_nl: {
      if (const Refusal refusal = surname_nl(text, out); refusal != Refusal::kept) return refusal;
      if (form.sound) cologne_sound(out);
      return out.empty() ? Refusal::empty : Refusal::kept;
    }
    case FormKind::postcode_nl:
      return postcode_nl(form, text, out);
    case FormKind::code:
      return code(form, text, out);
    case FormKind::text:
      plain_text(form, text, out);
      return out.empty() ? Refusal::empty : Refusal::kept;
  }
  return Refusal::shape;
}

}  // namespace

std::string_view form_name(FormKind kind) {
  return std::find_if(kNames.begin(), kNames.end(), [&](const auto& name) { return name.first == kind; })->second;
}

FormKind parse_form_name(std::string_view name) {
  for (const auto& [kind, known] : kNames)
    if (name == known || (name.size() == known.size() + 2 && name.starts_with(known) && name.ends_with("/1")))
      return kind;
  std::string hint = "Known forms:";
  for (const auto& [kind, known] : kNames) hint += (kind == FormKind::bsn ? " " : ", ") + std::string(known) + "/1";
  throw Error(ErrorCode::invalid_parameter, "unknown form of an identifier", "\"" + std::string(name) + "\"",
              hint + ".");
}

Refusal apply_form(const IdentifierForm& form, PartType type, SecretBytes& part) {
  const std::optional<SecretCodePoints> text = code_points(view_of(part));
  if (!text) return Refusal::not_utf8;
  SecretBytes out;
  const Refusal refusal = form_of(form, type, *text, out);
  if (refusal == Refusal::kept) part = std::move(out);
  return refusal;
}

}  // namespace pgmpc
