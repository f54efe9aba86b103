// Named, versioned normalisation of one part of an identifier: what a form keeps, and what it refuses.
//
// Terms
// form: a rule that brings a part to the same bytes at every node.
// part: one column of an identifier, in UTF-8.
// refused: the part is no identifier of this form. Its record is left out of the run, like one with a NULL.
//
// Invariants
// The bytes depend on the form, its version and the part alone: no locale, no encoding of a server, no setting matters.
// A kept part is never empty. A form applied to what it kept gives the same bytes. The exceptions are surname_nl with
// sound, whose codes have no letters, and a code that is also written for something else.
//
// Source
// bsn: the check of eleven of the Dutch citizen service number (Regeling BSN). surname_nl with sound: H. J. Postel, Die
// Koelner Phonetik, IBM-Nachrichten 19 (1969). letters and text: Unicode decomposition, latin_letters.h.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace pgmpc {

enum class FormKind { bsn, number, date, letters, surname_nl, postcode_nl, code, text };
enum class DateOrder { day_month, month_day };  // for text with the year at the end

struct IdentifierForm {
  FormKind kind = FormKind::text;
  int width = 0;             // number: padded with zeros to this width; 0: leading zeros are dropped
  bool no_defaults = false;  // date: 1 January is refused
  DateOrder order = DateOrder::day_month;
  bool sound = false;                                      // surname_nl: its phonetic code
  bool area = false;                                       // postcode_nl: its four digits
  bool fold = false;                                       // text: letters as A to Z
  std::vector<std::pair<std::string, std::string>> codes;  // code: what is written, and what it means
};

// Why a part is refused. kept is 0.
enum class Refusal { kept, empty, not_utf8, letters, shape, check_digit, stands_for_none, calendar, unknown_code };
inline constexpr std::array<std::string_view, 9> kRefusalNames = {
    "kept",           "empty",           "not UTF-8",   "letters outside the table", "wrong shape", "check digit",
    "reserved value", "impossible date", "unknown code"};

// The type of the column that a part comes from, as far as its text depends on it.
enum class PartType {
  text,
  number,  // canonical decimal text: sign, digits, a point only before a fraction that is not 0
  date,    // ISO text of a date or timestamp
};

std::string_view form_name(FormKind kind);  // without a version
// Parses "bsn/1" or "bsn": version 1 is the only one so far. Error(invalid_parameter) names the known forms.
FormKind parse_form_name(std::string_view name);

// Brings the part to its form, or returns why that is impossible. A refused part stays unchanged.
Refusal apply_form(const IdentifierForm& form, PartType type, SecretBytes& part);

}  // namespace pgmpc
