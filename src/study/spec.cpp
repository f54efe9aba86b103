// Implements the study spec: reads it section by section. spec_fill.cpp writes the filled document.
//
// Invariants
// The check of a key is in the function that reads it. Checks that need several keys come last (check_together).
#include "study/spec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/keyed_hash.h"
#include "json/canonical_json.h"
#include "json/spec_reader.h"
#include "study/levels.h"
#include "study/spec_analyses.h"
#include "study/spec_fill.h"
#include "study/spec_identifier.h"

namespace pgmpc {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxCount = 1'000'000'000;
constexpr int kMaxScaleExponent = 60;
constexpr double kMaxParameterRatio = 1000;
constexpr double kMaxVif = 1000;  // precision limit of an inverse on shares
constexpr std::int64_t kMaxVersions = 1000;
constexpr std::int64_t kRecordsPerColumn = 10;
constexpr std::size_t kFewestLevels = 2, kMaxLevels = 50;
constexpr const char* kDocument = "study spec";

// Reads an array of distinct names with low to high entries.
std::vector<std::string> read_names(const json& value, const std::string& pointer, std::size_t low, std::size_t high,
                                    std::string_view what) {
  std::vector<std::string> names;
  for (const json& element : spec_array(value, pointer, low, high)) {
    const std::string at = pointer_to(pointer, std::to_string(names.size()));
    std::string name = spec_name(element, at, what);
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      refuse_spec("duplicate " + std::string(what) + " in study spec", at, "\"" + name + "\"");
    }
    names.push_back(std::move(name));
  }
  return names;
}

void read_outcomes(ControllerSpec& controller, const SpecReader& reader) {
  if (!reader.has("outcome")) return;
  const json& value = reader.required("outcome");
  if (value.is_array())
    controller.outcomes = read_names(value, reader.at("outcome"), 1, kMaxOutcomes, "column");
  else if (value.is_string())
    controller.outcomes.push_back(spec_name(value, reader.at("outcome"), "column"));
  else
    refuse_spec_type(value, reader.at("outcome"), "a string or an array");
}

// Returns the levels of an attribute, in their order.
std::vector<std::string> read_levels(const json& value, const std::string& pointer) {
  std::vector<std::string> levels;
  for (const json& element : spec_array(value, pointer, kFewestLevels, kMaxLevels)) {
    const std::string at = pointer_to(pointer, std::to_string(levels.size()));
    std::string level = spec_string(element, at);
    if (!valid_level(level))
      refuse_spec("invalid level in study spec", at, element.dump(-1, ' ', true),
                  "a level is 1 to 63 printable ASCII characters, without a blank at either end; a view can turn other "
                  "texts into such ones");
    if (std::find(levels.begin(), levels.end(), level) != levels.end())
      refuse_spec("duplicate level in study spec", at, element.dump());
    levels.push_back(std::move(level));
  }
  return levels;
}

void read_attributes(ControllerSpec& controller, const json& value, const std::string& pointer, bool with_levels) {
  const std::size_t fewest = controller.outcomes.empty() ? 1 : 0;
  for (const json& element : spec_array(value, pointer, fewest, kMaxAttributes)) {
    const std::string at = pointer_to(pointer, std::to_string(controller.declared.size()));
    DeclaredAttribute attribute;
    if (element.is_object() && with_levels) {
      const SpecReader reader(element, at, {"name", "levels"});
      attribute.name = spec_name(reader.required("name"), reader.at("name"), "column");
      attribute.levels = read_levels(reader.required("levels"), reader.at("levels"));
      for (const std::string& level : attribute.levels)
        (&level == &attribute.levels.front() ? controller.references : controller.attributes)
            .push_back(level_column(attribute.name, level));
    } else {
      attribute.name = spec_name(element, at, "column");
      controller.attributes.push_back(attribute.name);
    }
    for (const DeclaredAttribute& before : controller.declared)
      if (before.name == attribute.name)
        refuse_spec("duplicate column in study spec", at, "\"" + attribute.name + "\"");
    controller.declared.push_back(std::move(attribute));
  }
}

void read_controller(ControllerSpec& controller, const json& value, const std::string& pointer, bool with_levels) {
  const SpecReader reader(value, pointer, {"attributes", "outcome"});
  read_outcomes(controller, reader);
  read_attributes(controller, reader.required("attributes"), reader.at("attributes"), with_levels);
  for (const std::string& outcome : controller.outcomes)
    for (const DeclaredAttribute& attribute : controller.declared)
      if (attribute.name == outcome)
        refuse_spec("outcome is also an attribute in study spec", reader.at("outcome"), "\"" + outcome + "\"");
}

// The JSON library sorts the keys of an object in byte order, which is the order of the parties.
void read_controllers(Spec& spec, const SpecReader& root) {
  const SpecReader reader(root.required("controllers"), root.at("controllers"));
  if (reader.object().size() != spec.controllers.size()) {
    refuse_spec("study spec needs exactly two controllers", root.at("controllers"),
                std::to_string(reader.object().size()) + " controllers");
  }
  std::size_t index = 0;
  for (const auto& item : reader.object().items()) {
    ControllerSpec& controller = spec.controllers[index++];
    controller.party = spec_name(json(item.key()), reader.at(item.key()), "party");
    read_controller(controller, item.value(), reader.at(item.key()), spec.format > 1);
  }
  const std::size_t attributes = spec.attribute_count() + spec.reference_count();
  if (attributes < 1 || attributes > kMaxAttributes) {
    refuse_spec("wrong number of attributes in study spec", root.at("controllers"), std::to_string(attributes),
                "at least 1, at most " + std::to_string(kMaxAttributes) +
                    " for both controllers together; each level of a categorical attribute counts");
  }
}

void read_third_party(Spec& spec, const SpecReader& root) {
  spec.third_party = spec_name(root.required("third_party"), root.at("third_party"), "party");
  for (const ControllerSpec& controller : spec.controllers) {
    if (controller.party != spec.third_party) continue;
    refuse_spec("third party is also a controller in study spec", root.at("third_party"),
                "\"" + spec.third_party + "\"", "the third party holds no data and must be independent");
  }
}

void read_key_bits(Spec& spec, const SpecReader& root) {
  spec.key_bits = static_cast<int>(root.integer("key_bits", spec.key_bits, 0, kMaxCount));
  if (spec.key_bits != 2048 && spec.key_bits != 3072 && spec.key_bits != 4096) {
    refuse_spec("value out of range in study spec", root.at("key_bits"), std::to_string(spec.key_bits),
                "one of 2048, 3072, 4096");
  }
}

void read_release(Spec& spec, const SpecReader& root) {
  if (!root.has("release")) return;
  const SpecReader release(root.required("release"), root.at("release"), {"precision"});
  if (!release.has("precision")) return;
  const std::string name = spec_string(release.required("precision"), release.at("precision"));
  for (const Precision precision : {Precision::statistical, Precision::coarse, Precision::exact}) {
    if (name != precision_name(precision)) continue;
    spec.precision = precision;
    return;
  }
  refuse_spec("unknown precision in study spec", release.at("precision"), "\"" + pointer_to("", name).substr(1) + "\"",
              "one of statistical, coarse, exact");
}

// all: one refusal bit for the study. each: one per analysis.
void read_refusal(Spec& spec, const SpecReader& root) {
  if (!root.has("refusal")) return;
  spec.refusal = spec_string(root.required("refusal"), root.at("refusal"));
  if (spec.refusal != "all" && spec.refusal != "each")
    refuse_spec("unknown refusal in study spec", root.at("refusal"),
                "\"" + pointer_to("", spec.refusal).substr(1) + "\"", "one of all, each");
}

// Stores the recipients in the order of the party indexes. Without the key, all parties are recipients.
void read_recipients(Spec& spec, const SpecReader& root) {
  std::vector<std::string> named;
  if (root.has("recipients")) named = read_names(root.required("recipients"), root.at("recipients"), 1, 3, "party");
  for (std::size_t i = 0; i < named.size(); ++i) {
    if (spec.party_index(named[i]) >= 0) continue;
    refuse_spec("recipient does not take part in the study", pointer_to(root.at("recipients"), std::to_string(i)),
                "\"" + named[i] + "\"");
  }
  for (int party = 0; party < spec.party_count(); ++party) {
    const std::string& name = spec.party_name(party);
    if (named.empty() || std::count(named.begin(), named.end(), name) > 0) spec.recipients.push_back(name);
  }
}

void read_exponents(ControllerSpec& controller, const json& value, const std::string& pointer) {
  const SpecReader reader(value, pointer);
  const std::vector<std::string> columns = controller.columns();
  for (const auto& item : reader.object().items()) {
    const std::string at = reader.at(item.key());
    if (!controller.levels_of(item.key()).empty())
      refuse_spec("scale exponent for an attribute with levels", at, "its columns hold 0 and 1");
    if (std::count(columns.begin(), columns.end(), item.key()) == 0 || level_of(item.key())) {
      refuse_spec("scale exponent for a column that the controller does not use", at, "no such column");
    }
    controller.scale_exponents[item.key()] =
        static_cast<int>(spec_integer(item.value(), at, -kMaxScaleExponent, kMaxScaleExponent));
  }
}

void read_scale_exponents(Spec& spec, const SpecReader& root) {
  if (!root.has_value("scale_exponents")) return;
  const SpecReader reader(root.required("scale_exponents"), root.at("scale_exponents"));
  for (const auto& item : reader.object().items()) {
    const int index = spec.party_index(item.key());
    if (index != 0 && index != 1) {
      refuse_spec("scale exponents for a party that is not a controller", reader.at(item.key()), "no such controller");
    }
    read_exponents(spec.controllers[static_cast<std::size_t>(index)], item.value(), reader.at(item.key()));
  }
}

void read_disclosure(Spec& spec, const SpecReader& root) {
  if (!root.has("disclosure")) return;
  const SpecReader reader = spec.format == 1
                                ? SpecReader(root.required("disclosure"), root.at("disclosure"),
                                             {"min_matched", "max_parameter_ratio", "min_level_count", "max_dominance",
                                              "model_budget", "min_cohort_change", "min_lambda"})
                                : SpecReader(root.required("disclosure"), root.at("disclosure"),
                                             {"min_matched", "max_parameter_ratio", "min_level_count", "max_dominance",
                                              "model_budget", "min_cohort_change", "min_lambda", "max_leverage",
                                              "max_vif", "max_columns", "versions", "released_numbers", "own_moments"});
  DisclosureSpec& rules = spec.disclosure;
  rules.min_matched = reader.integer("min_matched", rules.min_matched, 1, kMaxCount);
  rules.max_parameter_ratio = reader.number("max_parameter_ratio", rules.max_parameter_ratio, 0, kMaxParameterRatio);
  rules.min_level_count = reader.integer("min_level_count", rules.min_level_count, 0, kMaxCount);
  rules.max_dominance = reader.number("max_dominance", rules.max_dominance, 0, 1);
  rules.model_budget = reader.integer("model_budget", rules.model_budget, 1, kMaxCount);
  rules.min_cohort_change = reader.integer("min_cohort_change", rules.min_cohort_change, 0, kMaxCount);
  if (reader.has_value("min_lambda")) {
    rules.min_lambda = reader.number("min_lambda", 0, 0, std::numeric_limits<double>::max(), true);
  }
  if (spec.format == 1) return;
  rules.max_leverage = reader.number("max_leverage", rules.max_leverage, 0, 1);
  if (reader.has("max_vif"))
    rules.max_vif = reader.has_value("max_vif") ? std::optional(reader.number("max_vif", 0, 1, kMaxVif)) : std::nullopt;
  if (reader.has_value("max_columns")) rules.max_columns = reader.integer("max_columns", 0, 1, kMaxCount);
  rules.versions = reader.integer("versions", rules.versions, 1, kMaxVersions);
  if (reader.has_value("released_numbers"))
    rules.released_numbers = reader.integer("released_numbers", 0, 1, kMaxCount);
  rules.own_moments = reader.boolean("own_moments", rules.own_moments);
}

void check_together(const Spec& spec) {
  if (spec.refusal == "each" && spec.analyses.size() > 1)
    throw Error(ErrorCode::not_supported, "refusal of each analysis by itself is not supported", "/refusal: each",
                "leave it out: a rule that one analysis breaks refuses the study");
  const DisclosureSpec& rules = spec.disclosure;
  if (rules.max_columns && static_cast<std::int64_t>(spec.attribute_count()) > *rules.max_columns)
    refuse_spec("more attributes than the agreed maximum in study spec", "/disclosure/max_columns",
                std::to_string(*rules.max_columns), std::to_string(spec.attribute_count()) + " attributes");
}

// Sets every rule that format 1 does not have to its loosest value.
void set_format_1(Spec& spec) {
  spec.format = 1;
  spec.precision = Precision::exact;
  DisclosureSpec& rules = spec.disclosure;
  rules.max_leverage = 1;
  rules.max_vif.reset();
  rules.max_columns = static_cast<std::int64_t>(kMaxAttributes);
  rules.versions = kMaxVersions;
  rules.released_numbers = kMaxCount;
  rules.own_moments = true;
}

Spec parse(const json& document, bool stored) {
  Spec spec;
  const bool old = stored && document.is_object() && !document.contains("format");
  if (old) set_format_1(spec);
  const SpecReader root =
      old ? SpecReader(document, "",
                       {"controllers", "third_party", "key_bits", "identifier", "analysis", "recipients",
                        "expected_records", "scale_exponents", "keep_shares", "disclosure"})
          : SpecReader(document, "",
                       {"format", "controllers", "third_party", "key_bits", "identifier", "analysis", "analyses",
                        "recipients", "expected_records", "expect_matched", "scale_exponents", "keep_shares", "release",
                        "refusal", "disclosure"});
  if (root.has("format") && root.integer("format", 0, 1, kMaxCount) != kSpecFormat)
    refuse_spec("unknown format of study spec", root.at("format"), root.required("format").dump(),
                "this version fills specs of format " + std::to_string(kSpecFormat) + "; leave the key out");
  read_controllers(spec, root);
  read_third_party(spec, root);
  read_key_bits(spec, root);
  read_identifier(spec, root, !stored);
  if (!old) read_release(spec, root);
  read_disclosure(spec, root);
  read_analyses(spec, root);
  read_recipients(spec, root);
  if (root.has_value("expected_records"))
    spec.expected_records = root.integer("expected_records", 0, 1, static_cast<std::int64_t>(kMostRecords));
  read_scale_exponents(spec, root);
  spec.keep_shares = root.boolean("keep_shares", spec.keep_shares);
  if (!old) read_refusal(spec, root);
  check_together(spec);
  spec.canonical_json = filled_spec(spec);
  return spec;
}

}  // namespace

std::vector<std::string> ControllerSpec::columns() const {
  std::vector<std::string> result = attributes;
  result.insert(result.end(), outcomes.begin(), outcomes.end());
  result.insert(result.end(), references.begin(), references.end());
  return result;
}

std::vector<std::string> ControllerSpec::levels_of(std::string_view attribute) const {
  for (const DeclaredAttribute& each : declared)
    if (each.name == attribute) return each.levels;
  return {};
}

int Spec::party_index(std::string_view party) const {
  for (int index = 0; index < party_count(); ++index) {
    if (party_name(index) == party) return index;
  }
  return -1;
}

const std::string& Spec::party_name(int index) const {
  return index == 2 ? third_party : controllers.at(static_cast<std::size_t>(index)).party;
}

namespace {
// Two second moments of a party's own columns per column are always allowed, more than that only one per 40 records
// (docs/disclosure.md, "Second moments of one party").
std::int64_t matches_for_own_moments(const Spec& spec) {
  constexpr std::int64_t kAlwaysPerColumn = 2, kRecordsPerMoment = 40;
  std::int64_t moments = 0;
  for (const AnalysisEntry& entry : spec.analyses) moments += entry.analysis->own_moments(entry.columns);
  const bool few = moments <= kAlwaysPerColumn * static_cast<std::int64_t>(spec.column_count());
  return few ? 0 : kRecordsPerMoment * moments;
}
}  // namespace

std::int64_t Spec::required_matches() const {
  const auto parameters = static_cast<double>(attribute_count() + 1);
  // The quotient of 31 and 0.1 must be 310, not the 309.99… or 310.00… that doubles make of it.
  const double exact = parameters / disclosure.max_parameter_ratio;
  const double nearest = std::round(exact);
  const double matches = std::fabs(exact - nearest) < 1e-9 * nearest ? nearest : std::ceil(exact);
  const std::int64_t of_columns =
      disclosure.max_columns ? 0 : kRecordsPerColumn * static_cast<std::int64_t>(attribute_count());
  return std::max({disclosure.min_matched, static_cast<std::int64_t>(std::min(matches, 9e18)), of_columns,
                   matches_for_own_moments(*this)});
}

Spec parse_spec(std::string_view text) { return parse(read_json(text, kMaxSpecBytes, kDocument), false); }

// jsonb writes a stored spec with blanks: at most twice as long.
Spec read_spec(std::string_view text) { return parse(read_json(text, 2 * kMaxSpecBytes, kDocument), true); }

std::string study_digest(std::string_view study, const Spec& spec) {
  std::string message = "pg_mpc study 1\n";
  message.append(study).append("\n").append(spec.canonical_json);
  return to_hex(sha256(view_of(message)));
}

std::string first_difference(std::string_view canonical_a, std::string_view canonical_b) {
  return first_json_difference(read_json(canonical_a, kMaxSpecBytes, kDocument),
                               read_json(canonical_b, kMaxSpecBytes, kDocument));
}

}  // namespace pgmpc
