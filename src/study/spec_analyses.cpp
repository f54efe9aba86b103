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
    for (std::size_t k = 0; k < columns_.size(); ++k)
      if (used[k] && columns_[k].role == ColumnRole::attribute) add_attribute(k, used);
  }

  // The reference of a categorical attribute comes before its other levels.
  void add_attribute(std::size_t k, const std::vector<bool>& used) {
    const JoinedColumn& column = columns_[k];
    NamedColumn named{spec_.party_name(column.party), column.name};
    if (const std::optional<Level> level = level_of(column.name)) {
      const std::vector<std::size_t> others = levels_beside_reference(k);
      const std::size_t reference = reference_of(k);
      const bool first = k == *std::find_if(others.begin(), others.end(), [&](std::size_t i) { return used[i]; });
      const bool whole = entry_.analysis->uses_all_levels() &&
                         std::all_of(others.begin(), others.end(), [&](std::size_t i) { return used[i]; });
      if (whole) {
        named.attribute = level->attribute;
        named.level = level->level;
      }
      if (entry_.analysis->uses_all_levels() && !whole)
        refuse_spec("analysis has some levels of an attribute only", reader_.at("attributes"),
                    named.party + "." + column.name,
                    "name the attribute: what it withholds would follow from the levels that it does not");
      if (first && whole) {
        entry_.columns.attributes.push_back(reference);
        entry_.columns.names.push_back(
            {named.party, columns_[reference].name, level->attribute, level_of(columns_[reference].name)->level});
      } else if (first) {
        entry_.columns.left_out.push_back(reference);
        for (const std::size_t other : others)
          if (!used[other]) entry_.columns.left_out.push_back(other);
      }
    }
    entry_.columns.attributes.push_back(k);
    entry_.columns.names.push_back(std::move(named));
  }

  bool of_same_attribute(std::size_t a, std::size_t b) const {
    return columns_[a].party == columns_[b].party &&
           level_of(columns_[b].name).value_or(Level()).attribute == level_of(columns_[a].name)->attribute;
  }

  std::vector<std::size_t> levels_beside_reference(std::size_t k) const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i].role == ColumnRole::attribute && of_same_attribute(k, i)) out.push_back(i);
    return out;
  }

  std::size_t reference_of(std::size_t k) const {
    std::size_t i = 0;
    while (columns_[i].role != ColumnRole::reference || !of_same_attribute(k, i)) ++i;
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
