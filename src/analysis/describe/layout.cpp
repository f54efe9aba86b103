// Implements the layout of a describe analysis.
#include "analysis/describe/layout.h"

namespace pgmpc {

namespace {

class Builder {
 public:
  Builder(const DescribeSettings& settings, const AnalysisColumns& columns, const std::vector<bool>& two_valued)
      : settings_(settings), columns_(columns), named_(columns_of(settings, columns)), two_valued_(two_valued) {}

  DescribeLayout build() {
    for (std::size_t j = 0; j < two_valued_.size(); ++j) attribute(j);
    if (named_.by)
      for (std::size_t j = 0; j < two_valued_.size(); ++j) by_group(j);
    for (std::size_t t = 0; t < named_.tables.size(); ++t) {
      const auto [row, column] = named_.tables[t];
      four_cells(unit({row, column}, true), row, column, t);
    }
    if (settings_.correlation) correlations();
    return std::move(out_);
  }

 private:
  std::size_t unit(std::vector<std::size_t> attributes, bool small_cells) {
    out_.units.push_back({std::move(attributes), small_cells});
    return out_.units.size() - 1;
  }

  bool allowed(std::size_t a, std::size_t b) const { return settings_.own_moments || !of_one_party(columns_, a, b); }

  void attribute(std::size_t j) {
    const std::size_t of = unit({j}, false);
    if (!two_valued_[j]) return out_.statistics.push_back({of, j});
    for (const bool level : {false, true}) out_.cells.push_back({of, j, level});
  }

  void by_group(std::size_t j) {
    const std::size_t by = *named_.by;
    if (j == by || !allowed(j, by)) return;
    const std::size_t of = unit({by, j}, two_valued_[j]);
    if (two_valued_[j]) return four_cells(of, j, by, std::nullopt);
    out_.units[of].groups_of_numbers = true;
    for (const bool group : {false, true}) out_.statistics.push_back({of, j, group});
  }

  void four_cells(std::size_t of, std::size_t row, std::size_t column, std::optional<std::size_t> table,
                  bool of_correlation = false) {
    for (const bool level : {false, true})
      for (const bool other : {false, true})
        out_.cells.push_back({of, row, level, column, other, table, of_correlation});
  }

  void correlations() {
    for (std::size_t a = 0; a < two_valued_.size(); ++a)
      for (std::size_t b = a + 1; b < two_valued_.size(); ++b)
        if (allowed(a, b)) correlation(a, b);
  }

  void correlation(std::size_t a, std::size_t b) {
    const bool counted = two_valued_[a] && two_valued_[b];
    DescribeCorrelation pair{unit({a, b}, counted), a, b};
    if (counted) {
      pair.first_cell = out_.cells.size();
      four_cells(pair.unit, a, b, std::nullopt, true);
    }
    out_.correlations.push_back(pair);
  }

  const DescribeSettings& settings_;
  const AnalysisColumns& columns_;
  DescribeColumns named_;
  const std::vector<bool>& two_valued_;
  DescribeLayout out_;
};

std::int64_t size(std::size_t count) { return static_cast<std::int64_t>(count); }

// The layout as if every attribute were numeric. An attribute has as many numbers then as if it were two-valued: two, and
// four by group. A correlation has one.
DescribeLayout numeric_layout(const DescribeSettings& settings, const AnalysisColumns& columns) {
  return layout_of(settings, columns, std::vector<bool>(columns.attributes.size()));
}

}  // namespace

std::optional<std::size_t> attribute_of(const AnalysisColumns& columns, const std::string& name) {
  std::optional<std::size_t> found;
  for (std::size_t j = 0; j < columns.names.size(); ++j) {
    if (name != columns.names[j].name && name != columns.names[j].party + "." + columns.names[j].name) continue;
    if (found) return std::nullopt;
    found = j;
  }
  return found;
}

DescribeColumns columns_of(const DescribeSettings& settings, const AnalysisColumns& columns) {
  DescribeColumns out;
  for (const auto& [row, column] : settings.tables)
    out.tables.emplace_back(attribute_of(columns, row).value(), attribute_of(columns, column).value());
  if (settings.by) out.by = attribute_of(columns, *settings.by).value();
  return out;
}

bool of_one_party(const AnalysisColumns& columns, std::size_t a, std::size_t b) {
  return columns.names.at(a).party == columns.names.at(b).party;
}

DescribeLayout layout_of(const DescribeSettings& settings, const AnalysisColumns& columns,
                         const std::vector<bool>& two_valued) {
  return Builder(settings, columns, two_valued).build();
}

std::int64_t numbers_of(const DescribeSettings& settings, const AnalysisColumns& columns) {
  const DescribeLayout layout = numeric_layout(settings, columns);
  return size(layout.cells.size()) + 2 * size(layout.statistics.size()) + size(layout.correlations.size());
}

std::int64_t own_moments_of(const DescribeSettings& settings, const AnalysisColumns& columns) {
  const DescribeLayout layout = numeric_layout(settings, columns);
  const auto own = [&](std::size_t unit) {
    const std::vector<std::size_t>& of = layout.units[unit].attributes;
    return of.size() == 2 && of_one_party(columns, of[0], of[1]);
  };
  std::int64_t out = 0;
  for (const DescribeCell& cell : layout.cells) out += own(cell.unit);
  for (const DescribeStatistic& statistic : layout.statistics) out += 2 * own(statistic.unit);
  for (const DescribeCorrelation& correlation : layout.correlations) out += own(correlation.unit);
  return out;
}

}  // namespace pgmpc
