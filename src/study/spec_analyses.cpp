// Implements the reading of analyses and of their columns.
#include "study/spec_analyses.h"

#include <algorithm>

#include "analysis/registry.h"
#include "base/error.h"
#include "json/canonical_json.h"
#include "study/columns.h"
#include "study/levels.h"

namespace pgmpc {
namespace {

using nlohmann::json;

// Returns the indexes of the columns that the spec names: those of "name", or of "party.name" where both controllers use
// the name. The name of a categorical attribute stands for all levels but the reference.
std::vector<std::size_t> places_of(const std::vector<JoinedColumn>& columns, const Spec& spec, const json& value,
                                   const std::string& pointer, ColumnRole role) {
  const std::string wanted = spec_string(value, pointer);
  std::vector<std::size_t> found;
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const JoinedColumn& column = columns[k];
    if (column.role != role) continue;
    const std::optional<Level> level = level_of(column.name);
    const std::string party = spec.party_name(column.party) + ".";
    if (wanted == column.name || wanted == party + column.name ||
        (level && (wanted == level->attribute || wanted == party + level->attribute)))
      found.push_back(k);
  }
  const std::string what = role == ColumnRole::outcome ? "outcome" : "attribute";
  const std::string quoted = "\"" + pointer_to("", wanted).substr(1) + "\"";
  if (found.empty())
    refuse_spec("analysis names an " + what + " that no controller has", pointer, quoted,
                "declare it at its controller, or correct the name");
  for (const std::size_t k : found)
    if (columns[k].party != columns[found[0]].party)
      refuse_spec("name of an " + what + " is not unique in study spec", pointer, quoted,
                  "write party.name: both controllers use the name");
  return found;
}

class EntryReader {
 public:
  EntryReader(const Spec& spec, std::string name, const json& value, std::string pointer)
      : spec_(spec), columns_(joined_columns(spec)), value_(value), reader_(value, pointer), pointer_(pointer) {
    entry_.name = std::move(name);
  }

  AnalysisEntry read() {
    if (spec_.format == 1)
      SpecReader(value_, pointer_, {"kind", "lambda", "alpha", "standardize", "comparison", "max_iterations"});
    entry_.analysis =
        read_analysis(value_, pointer_, {spec_.precision, spec_.disclosure.min_lambda, spec_.disclosure.own_moments});
    if (entry_.name.empty()) entry_.name = entry_.analysis->kind();
    read_attributes(reader_.has("attributes"));
    read_outcome(reader_.has("outcome"));
    entry_.analysis->check_columns(entry_.columns, pointer_);
    return std::move(entry_);
  }

 private:
  void read_attributes(bool named) {
    std::vector<bool> used(columns_.size(), !named);
    if (named) {
      entry_.attributes.emplace();
      const std::string at = reader_.at("attributes");
      for (const json& element : spec_array(reader_.required("attributes"), at, 1, kMaxAttributes)) {
        const std::string here = pointer_to(at, std::to_string(entry_.attributes->size()));
        for (const std::size_t place : places_of(columns_, spec_, element, here, ColumnRole::attribute)) {
          if (used[place]) refuse_spec("duplicate attribute in study spec", here, element.dump());
          used[place] = true;
        }
        entry_.attributes->push_back(element.get<std::string>());
      }
    }
    std::size_t end = 0;
    for (std::size_t first = 0; first < spec_.attribute_count(); first = end) {
      end = end_of_attribute(first);
      const auto begin = used.begin() + static_cast<std::ptrdiff_t>(first);
      if (std::count(begin, begin + static_cast<std::ptrdiff_t>(end - first), true) > 0)
        add_attribute(first, end, used);
    }
  }

  // Adds the columns first .. end of one attribute, as far as they are used.
  void add_attribute(std::size_t first, std::size_t end, const std::vector<bool>& used) {
    if (!level_of(columns_[first].name)) return add_column(first, false);
    const std::size_t reference = reference_of(first);
    const bool whole = entry_.analysis->uses_all_levels();
    if (whole)
      add_column(reference, true);
    else
      entry_.columns.left_out.push_back(reference);
    for (std::size_t k = first; k < end; ++k) {
      if (used[k])
        add_column(k, whole);
      else if (whole)
        refuse_spec("analysis has some levels of an attribute only", reader_.at("attributes"),
                    "without " + spec_.party_name(columns_[k].party) + "." + columns_[k].name,
                    "name the attribute: what it withholds would follow from the levels that it does not");
      else
        entry_.columns.left_out.push_back(k);
    }
  }

  void add_column(std::size_t k, bool of_whole_attribute) {
    const JoinedColumn& column = columns_[k];
    const Level level = of_whole_attribute ? *level_of(column.name) : Level();
    entry_.columns.attributes.push_back(k);
    entry_.columns.names.push_back({spec_.party_name(column.party), column.name, level.attribute, level.level});
  }

  bool of_same_attribute(std::size_t a, std::size_t b) const {
    const std::optional<Level> one = level_of(columns_[a].name), other = level_of(columns_[b].name);
    return one && other && one->attribute == other->attribute && columns_[a].party == columns_[b].party;
  }

  // The levels of an attribute follow each other.
  std::size_t end_of_attribute(std::size_t first) const {
    std::size_t end = first + 1;
    while (end < spec_.attribute_count() && of_same_attribute(first, end)) ++end;
    return end;
  }

  std::size_t reference_of(std::size_t k) const {
    std::size_t i = columns_.size() - 1;
    while (!of_same_attribute(k, i)) --i;
    return i;
  }

  void read_outcome(bool named) {
    if (!entry_.analysis->needs_outcome()) {
      if (named) refuse_spec("analysis has no outcome", reader_.at("outcome"), std::string(entry_.analysis->kind()));
      return;
    }
    if (named) {
      entry_.columns.outcome =
          places_of(columns_, spec_, reader_.required("outcome"), reader_.at("outcome"), ColumnRole::outcome)[0];
      entry_.outcome = reader_.required("outcome").get<std::string>();
      return;
    }
    std::string outcomes;
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      if (columns_[k].role != ColumnRole::outcome) continue;
      entry_.columns.outcome = k;
      outcomes += (outcomes.empty() ? "" : ", ") + spec_.party_name(columns_[k].party) + "." + columns_[k].name;
    }
    if (outcomes.empty())
      refuse_spec("analysis needs an outcome", pointer_, "no controller names an outcome",
                  "name a column of one controller in its key outcome");
    if (spec_.outcome_count() > 1)
      refuse_spec("analysis does not say which outcome it is about", pointer_, "the outcomes are " + outcomes,
                  "name one of them in the key outcome of the analysis");
  }

  const Spec& spec_;
  std::vector<JoinedColumn> columns_;
  const json& value_;
  SpecReader reader_;
  std::string pointer_;
  AnalysisEntry entry_;
};

// Refuses a column that no analysis uses, so that no data are joined without need.
void require_uses(const Spec& spec, const std::string& pointer) {
  const std::vector<JoinedColumn> columns = joined_columns(spec);
  std::vector<bool> used(columns.size());
  for (const AnalysisEntry& entry : spec.analyses) {
    for (const std::size_t k : entry.columns.attributes) used[k] = true;
    if (entry.columns.outcome) used[*entry.columns.outcome] = true;
  }
  for (std::size_t k = 0; k < columns.size(); ++k)
    if (!used[k] && columns[k].role != ColumnRole::reference)
      refuse_spec("column is used by no analysis", pointer, spec.party_name(columns[k].party) + "." + columns[k].name,
                  "leave it out, or name it in an analysis");
}

void require_one_comparison(const Spec& spec, const SpecReader& root) {
  for (const AnalysisEntry& entry : spec.analyses)
    if (entry.analysis->comparison() != spec.analyses[0].analysis->comparison())
      refuse_spec("analyses of one study compare in different ways", root.at("analyses"),
                  "comparison of " + spec.analyses[0].name + " and of " + entry.name,
                  "give all of them the same comparison");
}

}  // namespace

nlohmann::json filled_analysis(const AnalysisEntry& entry) {
  json out = entry.analysis->filled();
  if (entry.attributes) out["attributes"] = *entry.attributes;
  if (entry.outcome) out["outcome"] = *entry.outcome;
  return out;
}

void read_analyses(Spec& spec, const SpecReader& root) {
  if (spec.format == 1 || !root.has("analyses")) {
    spec.analyses.push_back(EntryReader(spec, "", root.required("analysis"), root.at("analysis")).read());
    require_uses(spec, root.at("analysis"));
    return;
  }
  if (root.has("analysis"))
    refuse_spec("study spec has both analysis and analyses", root.at("analysis"), "found beside analyses",
                "analysis is the short form of one entry of analyses: leave one of them out");
  const SpecReader all(root.required("analyses"), root.at("analyses"));
  const std::size_t count = all.object().size();
  if (count == 0 || count > kMaxAnalyses)
    refuse_spec("wrong number of analyses in study spec", root.at("analyses"), std::to_string(count) + " entries",
                "at least 1, at most " + std::to_string(kMaxAnalyses));
  for (const auto& item : all.object().items()) {
    std::string name = spec_name(json(item.key()), all.at(item.key()), "analysis");
    spec.analyses.push_back(EntryReader(spec, std::move(name), item.value(), all.at(item.key())).read());
  }
  require_uses(spec, root.at("analyses"));
  require_one_comparison(spec, root);
}

}  // namespace pgmpc
