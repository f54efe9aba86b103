// Implements the relations of a describe analysis.
#include "analysis/describe/relations.h"

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>

namespace pgmpc {

namespace {

using nlohmann::json;

// The level of a categorical attribute, or the levels 0 and 1 of a two-valued one: its lower and its higher value.
json level_name(const NamedColumn& column, bool level) {
  if (!column.level.empty()) return column.level;
  return level ? "1" : "0";
}

class RelationWriter {
 public:
  RelationWriter(const DescribeSettings& settings, const AnalysisColumns& columns, const DescribeLayout& layout,
                 const DescribeNumbers& numbers, std::int64_t rows)
      : columns_(columns), layout_(layout), numbers_(numbers), rows_(rows), by_(group_column(settings, columns)) {
    for (std::size_t k = 0; k < layout_.cells.size(); ++k)
      if (layout_.cells[k].other) records_[group_of(layout_.cells[k])] += numbers_.cells[k];
  }

  Relations write() const {
    Relation describe{"describe"}, crosstab{"crosstab"}, correlation{"correlation"};
    std::size_t cell = 0, statistic = 0;
    for (std::size_t unit = 0; unit < layout_.units.size(); ++unit) {
      for (; cell < layout_.cells.size() && layout_.cells[cell].unit == unit; ++cell)
        if (!layout_.cells[cell].of_correlation)
          (layout_.cells[cell].table ? crosstab : describe).rows.push_back(row_of_cell(cell));
      for (; statistic < layout_.statistics.size() && layout_.statistics[statistic].unit == unit; ++statistic)
        describe.rows.push_back(row_of_statistic(statistic));
    }
    for (std::size_t k = 0; k < layout_.correlations.size(); ++k) correlation.rows.push_back(row_of_correlation(k));
    return {std::move(describe), std::move(crosstab), std::move(correlation)};
  }

 private:
  using Group = std::tuple<std::size_t, std::size_t, bool>;  // unit, column, level
  static Group group_of(const DescribeCell& cell) { return {cell.unit, *cell.other, cell.other_level}; }

  json row_of_cell(std::size_t k) const {
    const DescribeCell& cell = layout_.cells[k];
    const bool released = numbers_.released[cell.unit];
    const json records = released ? json(numbers_.cells[k]) : json();
    if (cell.table)
      return {{"tab", *cell.table + 1},
              {"row_attribute", columns_.names[cell.column].declared()},
              {"row_party", columns_.names[cell.column].party},
              {"row_level", level_name(columns_.names[cell.column], cell.level)},
              {"column_attribute", columns_.names[*cell.other].declared()},
              {"column_party", columns_.names[*cell.other].party},
              {"column_level", level_name(columns_.names[*cell.other], cell.other_level)},
              {"n", records},
              {"withheld", !released}};
    const NamedColumn& column = columns_.names[cell.column];
    json row = row_of(cell.column, level_name(column, cell.level),
                      cell.other ? level_name(columns_.names[*cell.other], cell.other_level) : json(), released);
    row["n"] = records;
    const std::int64_t of = cell.other ? records_.at(group_of(cell)) : rows_;
    if (released && of > 0) row["share"] = static_cast<double>(numbers_.cells[k]) / static_cast<double>(of);
    return row;
  }

  json row_of_statistic(std::size_t k) const {
    const DescribeStatistic& statistic = layout_.statistics[k];
    const bool released = numbers_.released[statistic.unit];
    json row =
        row_of(statistic.column, nullptr,
               statistic.group ? level_name(columns_.names[statistic.group->column], statistic.group->value) : json(),
               released);
    const std::int64_t records = statistic.group ? records_of_group(*statistic.group) : rows_;
    if (!released) return row;
    row["n"] = records;
    if (records == 0) return row;
    row["mean"] = numbers_.means[k].value;
    row["sd"] = numbers_.sds[k].value;
    row["mean_grid"] = numbers_.means[k].grid;
    row["sd_grid"] = numbers_.sds[k].grid;
    return row;
  }

  json row_of_correlation(std::size_t k) const {
    const DescribeCorrelation& pair = layout_.correlations[k];
    const bool released = numbers_.released[pair.unit];
    json r, grid;
    if (pair.first_cell) {
      if (released) r = correlation_of_cells(&numbers_.cells[*pair.first_cell]);
    } else {
      if (released) r = numbers_.correlations[k].value;
      grid = numbers_.correlations[k].grid;
    }
    return {{"attribute_a", columns_.names[pair.a].name},
            {"party_a", columns_.names[pair.a].party},
            {"attribute_b", columns_.names[pair.b].name},
            {"party_b", columns_.names[pair.b].party},
            {"r", std::move(r)},
            {"grid", std::move(grid)},
            {"withheld", !released}};
  }

  // The cells are those of levels 0 0, 0 1, 1 0, 1 1. Null where an attribute has one level only.
  static json correlation_of_cells(const std::int64_t* cells) {
    const auto a = static_cast<double>(cells[0]), b = static_cast<double>(cells[1]), c = static_cast<double>(cells[2]),
               d = static_cast<double>(cells[3]);
    const double margins = (a + b) * (c + d) * (a + c) * (b + d);
    return margins > 0 ? json((a * d - b * c) / std::sqrt(margins)) : json();
  }

  // As the attribute that forms the groups has them by itself.
  std::int64_t records_of_group(const DescribeLevel& group) const {
    for (std::size_t k = 0; k < layout_.cells.size(); ++k)
      if (!layout_.cells[k].other && DescribeLevel{layout_.cells[k].column, layout_.cells[k].level} == group)
        return numbers_.cells[k];
    return 0;
  }

  json row_of(std::size_t column, const json& level, const json& group, bool released) const {
    return {{"attribute", columns_.names[column].declared()},
            {"party", columns_.names[column].party},
            {"level", level},
            {"by_attribute", group.is_null() ? json() : json(columns_.names[*by_].declared())},
            {"by_level", group},
            {"n", nullptr},
            {"mean", nullptr},
            {"sd", nullptr},
            {"share", nullptr},
            {"withheld", !released},
            {"mean_grid", nullptr},
            {"sd_grid", nullptr}};
  }

  const AnalysisColumns& columns_;
  const DescribeLayout& layout_;
  const DescribeNumbers& numbers_;
  std::int64_t rows_;
  std::optional<std::size_t> by_;
  // Of groups, as the sums of their cells: so the shares of all levels add up to 1.
  std::map<Group, std::int64_t> records_;
};

bool is_level(const json& value) { return value.is_null() || value.is_string(); }

bool is_count_or_null(const json& value, std::int64_t most) { return value.is_null() || is_count(value, most); }

bool is_within(const json& value, double most) {
  return value.is_null() || (value.is_number() && std::fabs(value.get<double>()) <= most);
}

// Counts are rounded, so a level may seem to have a few more records than there are.
constexpr std::int64_t kMostRounding = 20;
constexpr double kMostShare = 1e9, kMostCorrelation = 1.5;

// What identifies a row: its labels. Returns "" for a row that is none.
std::string described(const json& row, std::int64_t rows) {
  if (!row.is_object() || row.size() != 12 || !is_level(row.at("level")) || !is_level(row.at("by_level")) ||
      !is_count_or_null(row.at("n"), rows + kMostRounding) || !row.at("withheld").is_boolean() ||
      !is_within(row.at("share"), kMostShare))
    return "";
  for (const char* key : {"mean", "sd", "mean_grid", "sd_grid"})
    if (!is_number_or_null(row.at(key))) return "";
  return row.at("party").get<std::string>() + "." + row.at("attribute").get<std::string>() + " " +
         row.at("level").dump() + row.at("by_attribute").dump() + row.at("by_level").dump();
}

std::string tabulated(const json& row, std::int64_t rows) {
  if (!row.is_object() || row.size() != 9 || !row.at("tab").is_number_integer() || row.at("row_level").is_null() ||
      row.at("column_level").is_null() || !is_level(row.at("row_level")) || !is_level(row.at("column_level")) ||
      !is_count_or_null(row.at("n"), rows + kMostRounding) || !row.at("withheld").is_boolean())
    return "";
  return row.at("tab").dump() + row.at("row_party").get<std::string>() + "." +
         row.at("row_attribute").get<std::string>() + row.at("row_level").dump() +
         row.at("column_party").get<std::string>() + "." + row.at("column_attribute").get<std::string>() +
         row.at("column_level").dump();
}

std::string correlated(const json& row, std::int64_t) {
  if (!row.is_object() || row.size() != 7 || !is_within(row.at("r"), kMostCorrelation) ||
      !is_number_or_null(row.at("grid")) || !row.at("withheld").is_boolean())
    return "";
  return row.at("party_a").get<std::string>() + "." + row.at("attribute_a").get<std::string>() + " " +
         row.at("party_b").get<std::string>() + "." + row.at("attribute_b").get<std::string>();
}

using LabelOf = std::string (*)(const json& row, std::int64_t rows);

struct Kind {
  const char* relation;
  LabelOf label;
};
constexpr Kind kKinds[] = {{"describe", described}, {"crosstab", tabulated}, {"correlation", correlated}};

std::multiset<std::string> labels_of(const json& relation, LabelOf label, std::int64_t rows) {
  std::multiset<std::string> out;
  for (const json& row : relation) out.insert(label(row, rows));
  return out;
}

// Which columns the rows show as two-valued: those of attributes with a level.
std::vector<bool> two_valued_in(const json& describe, const AnalysisColumns& columns) {
  std::vector<bool> out(columns.names.size());
  for (const json& row : describe)
    for (std::size_t j = 0; j < columns.names.size(); ++j)
      if (row.at("attribute") == columns.names[j].declared() && row.at("party") == columns.names[j].party &&
          !row.at("level").is_null())
        out[j] = true;
  return out;
}

}  // namespace

Relations describe_relations(const DescribeSettings& settings, const AnalysisColumns& columns,
                             const DescribeLayout& layout, const DescribeNumbers& numbers, std::int64_t rows) {
  return RelationWriter(settings, columns, layout, numbers, rows).write();
}

Relations empty_descriptions() {
  Relations out;
  for (const Kind& kind : kKinds) out.push_back({kind.relation});
  return out;
}

bool are_descriptions(const Relations& relations, const DescribeSettings& settings, const AnalysisColumns& columns,
                      std::int64_t rows) {
  if (relations.size() != std::size(kKinds)) return false;
  std::vector<bool> two_valued = two_valued_in(relations[0].rows, columns);
  const std::optional<std::size_t> by = group_column(settings, columns);
  if (by && !two_valued.at(*by)) return false;
  const DescribeLayout layout = layout_of(settings, columns, two_valued);
  DescribeNumbers none;
  none.released.resize(layout.units.size());
  none.cells.resize(layout.cells.size());
  none.means.resize(layout.statistics.size());
  none.sds.resize(layout.statistics.size());
  none.correlations.resize(layout.correlations.size());
  const Relations expected = describe_relations(settings, columns, layout, none, rows);
  for (std::size_t k = 0; k < std::size(kKinds); ++k) {
    if (relations[k].name != kKinds[k].relation) return false;
    if (labels_of(relations[k].rows, kKinds[k].label, rows) != labels_of(expected[k].rows, kKinds[k].label, rows))
      return false;
  }
  return true;
}

}  // namespace pgmpc
