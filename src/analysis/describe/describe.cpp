// Implements the kind describe: reading its settings, describing it, checking its results.
#include "analysis/describe/describe.h"

#include <algorithm>

#include "analysis/describe/layout.h"
#include "analysis/describe/relations.h"
#include "base/error.h"
#include "json/canonical_json.h"
#include "json/spec_reader.h"

namespace pgmpc {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxTables = 100;
constexpr const char *kWithhold = "withhold", *kRefuse = "refuse";

// A model of ten tables: each table counts a tenth against disclosure.model_budget.
constexpr std::int64_t kTablesPerModel = 10;

class Describe final : public Analysis {
 public:
  explicit Describe(DescribeSettings settings) : settings_(std::move(settings)) {}

  const char* kind() const override { return "describe"; }

  json filled() const override {
    json tables = json::array();
    for (const auto& [row, column] : settings_.tables) tables.push_back({row, column});
    return {{"kind", kind()},
            {"tables", std::move(tables)},
            {"by", settings_.by ? json(*settings_.by) : json()},
            {"correlation", settings_.correlation},
            {"on_small_cell", settings_.refuse ? kRefuse : kWithhold},
            {"comparison", comparison_name(settings_.comparison)}};
  }

  bool needs_outcome() const override { return false; }
  bool uses_all_levels() const override { return true; }
  bool refuses_columns() const override { return settings_.refuse; }
  ComparisonKind comparison() const override { return settings_.comparison; }

  void check_columns(const AnalysisColumns& columns, const std::string& pointer) const override {
    const std::vector<DescribedAttribute> attributes = described_attributes(columns);
    for (std::size_t t = 0; t < settings_.tables.size(); ++t) {
      const auto& [row, column] = settings_.tables[t];
      const std::string at = pointer + "/tables/" + std::to_string(t);
      const std::size_t a = known(attributes, row, at + "/0"), b = known(attributes, column, at + "/1");
      if (a == b) refuse_spec("a table has two different attributes", at, "\"" + row + "\" twice");
      for (std::size_t before = 0; before < t; ++before)
        if (settings_.tables[before] == settings_.tables[t]) refuse_spec("duplicate table in study spec", at, row);
      if (!settings_.own_moments && attributes[a].party == attributes[b].party)
        refuse_spec("a table of two attributes of one party", at, row + ", " + column + ", of " + attributes[a].party,
                    "set disclosure.own_moments to true if the parties agree to release such tables");
    }
    if (settings_.by) known(attributes, *settings_.by, pointer + "/by");
  }

  void check_two_valued(const AnalysisColumns& columns, const std::vector<bool>& two_valued) const override {
    const std::vector<DescribedAttribute> attributes = described_attributes(columns);
    const auto require = [&](std::size_t attribute, const char* use) {
      const std::size_t j = attributes.at(attribute).columns[0];
      if (attributes[attribute].categorical || two_valued.at(j)) return;
      throw Error(ErrorCode::invalid_parameter, "an attribute has more than two values",
                  columns.names[j].party + "." + columns.names[j].name + " is used " + use,
                  "propose a new version that uses an attribute with two values there");
    };
    const DescribeNames named = names_of(settings_, attributes);
    for (const auto& [row, column] : named.tables) {
      require(row, "in a cross-table");
      require(column, "in a cross-table");
    }
    if (named.by) require(*named.by, "to form groups");
  }

  std::set<GroupedColumn> grouped_columns(const AnalysisColumns& columns) const override {
    std::set<GroupedColumn> out;
    const DescribeLayout layout = layout_of(settings_, columns, std::vector<bool>(columns.names.size()));
    for (const DescribeStatistic& statistic : layout.statistics)
      if (statistic.group)
        out.insert({columns.attributes[statistic.group->column], columns.attributes[statistic.column]});
    return out;
  }

  std::int64_t own_moments(const AnalysisColumns& columns) const override { return own_moments_of(settings_, columns); }

  std::int64_t models() const override {
    const auto tables = static_cast<std::int64_t>(settings_.tables.size()) + 1 + (settings_.by ? 1 : 0) +
                        (settings_.correlation ? 1 : 0);
    return (tables + kTablesPerModel - 1) / kTablesPerModel;
  }
  std::int64_t numbers_of_model(const AnalysisColumns& columns) const override {
    return (numbers_of(settings_, columns) + models() - 1) / models();
  }
  // Two numbers of every attribute, whatever it holds, or one per level.
  std::int64_t free_numbers(const AnalysisColumns& columns) const override {
    std::size_t out = 0;
    for (const DescribedAttribute& attribute : described_attributes(columns))
      out += attribute.categorical ? attribute.columns.size() : 2;
    return static_cast<std::int64_t>(out);
  }

  Cost cost(const PlannedStudy& study, const AnalysisColumns& columns) const override {
    return describe_cost(study, columns, settings_);
  }

  AnalysisDescription words() const override {
    AnalysisDescription out;
    out.method = {"description", "describe: numbers of records, means, standard deviations, shares of levels"};
    if (settings_.by) out.method.text += ", also by " + *settings_.by;
    if (!settings_.tables.empty())
      out.method.text +=
          "; " + std::to_string(settings_.tables.size()) + " cross-table" + (settings_.tables.size() == 1 ? "" : "s");
    if (settings_.correlation) out.method.text += "; correlations";
    out.sends = settings_.comparison == ComparisonKind::fast
                    ? "shares of masked values and keys for comparisons"
                    : "shares of masked values and truth tables for comparisons";
    out.received = "numbers of records, means, standard deviations" +
                   std::string(settings_.tables.empty() ? "" : ", cross-tables") +
                   (settings_.correlation ? ", correlations" : "");
    out.opened = out.received + ", and which tables are withheld";
    out.public_facts.push_back(
        {"public: withheld tables",
         settings_.refuse ? "a table that a disclosure rule forbids refuses the study"
                          : "recipients learn which tables a disclosure rule withholds, not which rule does"});
    out.notes.push_back({"public: counts", "released numbers of records are rounded to a multiple of " +
                                               std::to_string(count_step(Precision::statistical)) +
                                               " (coarse: " + std::to_string(count_step(Precision::coarse)) + ")"});
    return out;
  }

  std::vector<std::string> opened() const override {
    std::vector<std::string> out = {"counts", "means", "standard_deviations", "withheld_tables"};
    if (settings_.correlation) out.emplace_back("correlations");
    return out;
  }

  std::unique_ptr<Computed> compute(const AnalysisRun& run) const override { return compute_describe(run, settings_); }

  bool accepts(const Relations& relations, const AnalysisColumns& columns, std::int64_t rows) const override {
    return are_descriptions(relations, settings_, columns, rows);
  }

 private:
  static std::size_t known(const std::vector<DescribedAttribute>& attributes, const std::string& name,
                           const std::string& pointer) {
    const std::optional<std::size_t> found = attribute_of(attributes, name);
    if (found) return *found;
    const bool twice = std::any_of(attributes.begin(), attributes.end(),
                                   [&](const DescribedAttribute& attribute) { return attribute.name == name; });
    refuse_spec(twice ? "name of an attribute is not unique in study spec" : "unknown attribute in study spec", pointer,
                "\"" + pointer_to("", name).substr(1) + "\"",
                twice ? "write party.name: both controllers use the name" : "name an attribute of the analysis");
  }

  DescribeSettings settings_;
};

class SettingsReader {
 public:
  SettingsReader(const json& value, const std::string& pointer, const SpecContext& around)
      : reader_(value, pointer, {"kind", "tables", "by", "correlation", "on_small_cell", "comparison", "attributes"}) {
    settings_.own_moments = around.own_moments;
  }

  DescribeSettings read() {
    settings_.correlation = reader_.boolean("correlation", false);
    if (reader_.has_value("by")) settings_.by = spec_string(reader_.required("by"), reader_.at("by"));
    if (reader_.has("tables")) read_tables();
    settings_.refuse = one_of("on_small_cell", {kWithhold, kRefuse}) == kRefuse;
    const ComparisonKind kinds[] = {ComparisonKind::fast, ComparisonKind::compact};
    const std::string comparison = one_of("comparison", {comparison_name(kinds[0]), comparison_name(kinds[1])});
    settings_.comparison = comparison == comparison_name(kinds[1]) ? kinds[1] : kinds[0];
    return std::move(settings_);
  }

 private:
  void read_tables() {
    const std::string at = reader_.at("tables");
    for (const json& table : spec_array(reader_.required("tables"), at, 0, kMaxTables)) {
      const std::string here = pointer_to(at, std::to_string(settings_.tables.size()));
      const json& names = spec_array(table, here, 2, 2);
      settings_.tables.emplace_back(spec_string(names[0], here + "/0"), spec_string(names[1], here + "/1"));
    }
  }

  // Returns the value of a key, or the first of its possible values where it is absent.
  std::string one_of(const char* key, const std::vector<std::string>& values) {
    if (!reader_.has(key)) return values.front();
    const std::string value = spec_string(reader_.required(key), reader_.at(key));
    if (std::find(values.begin(), values.end(), value) != values.end()) return value;
    std::string names;
    for (const std::string& each : values) names += (names.empty() ? "one of " : ", ") + each;
    refuse_spec("unknown " + std::string(key) + " in study spec", reader_.at(key),
                "\"" + pointer_to("", value).substr(1) + "\"", names);
  }

  SpecReader reader_;
  DescribeSettings settings_;
};

}  // namespace

std::int64_t count_step(Precision precision) {
  switch (precision) {
    case Precision::exact:
      return 1;
    case Precision::statistical:
      return 5;
    case Precision::coarse:
      return 20;
  }
  return 1;
}

std::shared_ptr<const Analysis> read_describe(const json& value, const std::string& pointer,
                                              const SpecContext& around) {
  return make_describe(SettingsReader(value, pointer, around).read());
}

std::shared_ptr<const Analysis> make_describe(DescribeSettings settings) {
  return std::make_shared<const Describe>(std::move(settings));
}

}  // namespace pgmpc
