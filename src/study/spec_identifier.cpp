// Implements the reading of identifier forms, rules and examples.
#include "study/spec_identifier.h"

#include <algorithm>

#include "base/error.h"
#include "json/canonical_json.h"
#include "linkage/identifiers.h"

namespace pgmpc {
namespace {

using nlohmann::json;

constexpr int kMaxIdentifierParts = 16;
constexpr std::int64_t kMostMatched = std::int64_t{1} << 31;
constexpr int kMaxWidth = 64;
constexpr std::size_t kMaxCodes = 200;
constexpr std::size_t kMaxExamples = 50;

void read_rules(IdentifierSpec& identifier, const SpecReader& reader) {
  const std::string pointer = reader.at("normalise");
  for (const json& element : spec_array(reader.required("normalise"), pointer, 0, 3)) {
    const std::string at = pointer_to(pointer, std::to_string(identifier.normalise.size()));
    const std::string step = spec_string(element, at);
    if (step != "trim" && step != "upper" && step != "digits")
      refuse_spec("unknown normalisation in study spec", at, "\"" + pointer_to("", step).substr(1) + "\"",
                  "any of trim, upper, digits");
    if (std::count(identifier.normalise.begin(), identifier.normalise.end(), step) > 0)
      refuse_spec("duplicate normalisation in study spec", at, "\"" + step + "\"");
    identifier.normalise.push_back(step);
  }
}

// Returns a code as the form text with folding normalises it. So "Man" and "MAN" are the same code.
std::string folded(const std::string& text, const std::string& pointer) {
  IdentifierForm fold;
  fold.fold = true;
  SecretBytes part(text.begin(), text.end());
  if (apply_form(fold, PartType::text, part) != Refusal::kept)
    refuse_spec("empty code of an identifier in study spec", pointer, "\"\"");
  return {part.begin(), part.end()};
}

void read_codes(IdentifierForm& form, const SpecReader& reader) {
  const SpecReader codes(reader.required("codes"), reader.at("codes"));
  if (codes.object().empty() || codes.object().size() > kMaxCodes)
    refuse_spec("wrong number of codes in study spec", reader.at("codes"), std::to_string(codes.object().size()),
                "at least 1, at most " + std::to_string(kMaxCodes));
  for (const auto& item : codes.object().items()) {
    const std::string at = codes.at(item.key());
    form.codes.emplace_back(folded(item.key(), at), folded(spec_string(item.value(), at), at));
  }
  std::sort(form.codes.begin(), form.codes.end());
  for (std::size_t i = 0; i < form.codes.size(); i++) {
    if (i > 0 && form.codes[i].first == form.codes[i - 1].first)
      refuse_spec("code of an identifier given twice in study spec", reader.at("codes"), form.codes[i].first);
    for (const auto& [from, to] : form.codes)
      if (from == form.codes[i].second && to != from)
        refuse_spec("code of an identifier is written for another one in study spec", reader.at("codes"), from,
                    "what a code stands for must not stand for something else");
  }
}

DateOrder read_order(const SpecReader& reader) {
  if (!reader.has("order")) return DateOrder::day_month;
  const std::string name = spec_string(reader.required("order"), reader.at("order"));
  if (name == "dmy") return DateOrder::day_month;
  if (name == "mdy") return DateOrder::month_day;
  refuse_spec("unknown order of a date in study spec", reader.at("order"), "\"" + pointer_to("", name).substr(1) + "\"",
              "one of dmy, mdy");
}

FormKind read_kind(const json& value, const std::string& pointer) {
  const std::string name = spec_string(value, pointer);
  try {
    return parse_form_name(name);
  } catch (const Error& error) {
    refuse_spec("unknown form of an identifier in study spec", pointer, value.dump(-1, ' ', true), error.hint());
  }
}

IdentifierForm read_form(const json& value, const std::string& pointer) {
  IdentifierForm form;
  if (value.is_string()) {
    form.kind = read_kind(value, pointer);
    if (form.kind == FormKind::code)
      refuse_spec("form code needs codes in study spec", pointer, "\"code\"",
                  R"(write {"form": "code", "codes": {"1": "M", "man": "M", "2": "F"}})");
    return form;
  }
  const SpecReader any(value, pointer);
  form.kind = read_kind(any.required("form"), any.at("form"));
  switch (form.kind) {
    case FormKind::number: {
      const SpecReader reader(value, pointer, {"form", "width"});
      form.width = static_cast<int>(reader.integer("width", 0, 1, kMaxWidth));
      break;
    }
    case FormKind::date: {
      const SpecReader reader(value, pointer, {"form", "order", "no_defaults"});
      form.order = read_order(reader);
      form.no_defaults = reader.boolean("no_defaults", false);
      break;
    }
    case FormKind::surname_nl:
      form.sound = SpecReader(value, pointer, {"form", "sound"}).boolean("sound", false);
      break;
    case FormKind::postcode_nl:
      form.area = SpecReader(value, pointer, {"form", "area"}).boolean("area", false);
      break;
    case FormKind::text:
      form.fold = SpecReader(value, pointer, {"form", "fold"}).boolean("fold", false);
      break;
    case FormKind::code:
      read_codes(form, SpecReader(value, pointer, {"form", "codes"}));
      break;
    case FormKind::bsn:
    case FormKind::letters:
      SpecReader(value, pointer, {"form"});
      break;
  }
  return form;
}

json filled_form(const IdentifierForm& form) {
  json out = {{"form", std::string(form_name(form.kind)) + "/1"}};
  if (form.width > 0) out["width"] = form.width;
  if (form.kind == FormKind::date) {
    out["order"] = form.order == DateOrder::day_month ? "dmy" : "mdy";
    out["no_defaults"] = form.no_defaults;
  }
  if (form.kind == FormKind::surname_nl) out["sound"] = form.sound;
  if (form.kind == FormKind::postcode_nl) out["area"] = form.area;
  if (form.kind == FormKind::text) out["fold"] = form.fold;
  for (const auto& [from, to] : form.codes) out["codes"][from] = to;
  return out;
}

void read_parts(IdentifierSpec& identifier, const SpecReader& reader) {
  if (!reader.has("parts")) return;
  const json& parts = reader.required("parts");
  if (!parts.is_array()) {
    identifier.parts = static_cast<int>(reader.integer("parts", identifier.parts, 1, kMaxIdentifierParts));
    return;
  }
  const std::string pointer = reader.at("parts");
  for (const json& element : spec_array(parts, pointer, 1, kMaxIdentifierParts))
    identifier.forms.push_back(read_form(element, pointer_to(pointer, std::to_string(identifier.forms.size()))));
  identifier.parts = static_cast<int>(identifier.forms.size());
}

std::string normalised_example(const IdentifierSpec& identifier, const std::vector<std::string>& texts,
                               const std::string& pointer) {
  std::vector<SecretBytes> parts;
  for (const std::string& text : texts) parts.emplace_back(text.begin(), text.end());
  const std::vector<PartType> types(parts.size(), PartType::text);
  std::vector<Refusal> refusals(parts.size());
  const auto bytes = normalised_identifier(identifier, std::move(parts), types, refusals);
  if (bytes) return to_hex(view_of(*bytes));
  const auto place = std::find_if(refusals.begin(), refusals.end(), [](Refusal r) { return r != Refusal::kept; });
  refuse_spec("example of an identifier is refused by its form", pointer,
              std::string(kRefusalNames[static_cast<std::size_t>(*place)]),
              "give examples of identifiers that are kept");
}

void read_examples(IdentifierSpec& identifier, const SpecReader& reader, bool proposed) {
  if (!reader.has("examples")) return;
  const std::string pointer = reader.at("examples");
  for (const json& element : spec_array(reader.required("examples"), pointer, 0, kMaxExamples)) {
    const std::string at = pointer_to(pointer, std::to_string(identifier.examples.size()));
    IdentifierExample example;
    std::optional<SpecReader> filled;
    if (element.is_object())
      filled.emplace(element, at, std::initializer_list<std::string_view>{"parts", "normalised"});
    const auto count = static_cast<std::size_t>(identifier.parts);
    const json& parts = filled ? filled->required("parts") : element;
    const std::string place = filled ? filled->at("parts") : at;
    for (const json& part : spec_array(parts, place, count, count)) example.parts.push_back(spec_string(part, at));
    example.normalised = normalised_example(identifier, example.parts, at);
    if (filled && proposed) {
      const std::string said = spec_string(filled->required("normalised"), filled->at("normalised"));
      if (said != example.normalised)
        refuse_spec("example of an identifier is normalised differently here", at,
                    example.normalised + " instead of " + said, "the nodes run different versions of pg_mpc");
    }
    identifier.examples.push_back(std::move(example));
  }
}

}  // namespace

void read_identifier(Spec& spec, const SpecReader& root, bool proposed) {
  if (root.has("expect_matched") && root.has_value("expect_matched")) {
    const std::string pointer = root.at("expect_matched");
    const json& range = spec_array(root.required("expect_matched"), pointer, 2, 2);
    const std::int64_t low = spec_integer(range[0], pointer_to(pointer, "0"), 0, kMostMatched);
    const std::int64_t high =
        spec_integer(range[1], pointer_to(pointer, "1"), std::max<std::int64_t>(low, 1), kMostMatched);
    spec.expect_matched = {low, high};
  }
  if (!root.has("identifier")) return;
  const SpecReader reader =
      spec.format == 1
          ? SpecReader(root.required("identifier"), root.at("identifier"), {"parts", "normalise"})
          : SpecReader(root.required("identifier"), root.at("identifier"), {"parts", "normalise", "examples"});
  IdentifierSpec& identifier = spec.identifier;
  read_parts(identifier, reader);
  if (reader.has("normalise")) {
    if (!identifier.forms.empty())
      refuse_spec("identifier has both forms and rules in study spec", reader.at("normalise"),
                  "found beside forms of parts", "a form says how its part is normalised: leave normalise out");
    read_rules(identifier, reader);
  }
  read_examples(identifier, reader, proposed);
}

json filled_identifier(const Spec& spec) {
  const IdentifierSpec& identifier = spec.identifier;
  json out = json::object();
  if (identifier.forms.empty()) {
    out["parts"] = identifier.parts;
    out["normalise"] = identifier.normalise;
  } else {
    out["parts"] = json::array();
    for (const IdentifierForm& form : identifier.forms) out["parts"].push_back(filled_form(form));
  }
  for (const IdentifierExample& example : identifier.examples)
    out["examples"].push_back({{"parts", example.parts}, {"normalised", example.normalised}});
  return out;
}

std::optional<SecretBytes> normalised_identifier(const IdentifierSpec& identifier, std::vector<SecretBytes> parts,
                                                 std::span<const PartType> types, std::span<Refusal> refusals) {
  const std::vector<Normalisation> rules = parse_normalisations(identifier.normalise);
  SecretBytes bytes;
  bool kept = true;
  for (std::size_t p = 0; p < parts.size(); p++) {
    refusals[p] = identifier.forms.empty() ? normalise_part(parts[p], types[p], rules)
                                           : apply_form(identifier.forms[p], types[p], parts[p]);
    kept = kept && refusals[p] == Refusal::kept;
    if (kept) append_part(bytes, view_of(parts[p]));
  }
  return kept ? std::optional(std::move(bytes)) : std::nullopt;
}

}  // namespace pgmpc
