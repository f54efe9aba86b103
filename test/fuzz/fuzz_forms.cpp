// Fuzzes the forms of identifiers; the first two bytes select form and options. A kept identifier is not empty, is
// UTF-8, and does not change when the form is applied again. A phonetic code consists of digits instead.
#include <algorithm>
#include <cstdlib>

#include "linkage/forms.h"
#include "linkage/utf8.h"

namespace {
using namespace pgmpc;

IdentifierForm form_of(std::uint8_t kind, std::uint8_t options) {
  IdentifierForm form;
  form.kind = static_cast<FormKind>(kind % 8);
  form.width = options % 16;
  form.no_defaults = (options & 16) != 0;
  form.order = (options & 32) != 0 ? DateOrder::month_day : DateOrder::day_month;
  form.sound = form.area = form.fold = (options & 64) != 0;
  form.codes = {{"1", "M"}, {"MAN", "M"}, {"2", "V"}};
  return form;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const IdentifierForm form = form_of(data[0], data[1]);
  const auto type = static_cast<PartType>(data[0] / 8 % 3);
  SecretBytes part(data + 2, data + size);
  if (apply_form(form, type, part) != Refusal::kept) {
    if (!std::equal(part.begin(), part.end(), data + 2, data + size)) std::abort();
    return 0;
  }
  if (part.empty() || !code_points(view_of(part))) std::abort();
  if (form.kind == FormKind::surname_nl && form.sound) {
    if (!std::ranges::all_of(part, [](std::uint8_t c) { return c >= '0' && c <= '8'; })) std::abort();
    return 0;
  }
  SecretBytes again = part.clone();
  if (apply_form(form, PartType::text, again) != Refusal::kept || !std::ranges::equal(part, again)) std::abort();
  return 0;
}
