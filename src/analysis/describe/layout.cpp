// Implements the layout of a describe analysis.
#include "analysis/describe/layout.h"

namespace pgmpc {

namespace {

class Builder {
 public:
  Builder(const DescribeSettings& settings, const AnalysisColumns& columns, const std::vector<bool>& two_valued)
      : settings_(settings),
        attributes_(described_attributes(columns)),
        named_(names_of(settings, attributes_)),
        two_valued_(two_valued) {}

  DescribeLayout build() {
    for (const DescribedAttribute& attribute : attributes_) alone(attribute);
    if (named_.by)
      for (std::size_t j = 0; j < attributes_.size(); ++j)
        if (j != *named_.by) by_group(attributes_[j], attributes_[*named_.by]);
    for (std::size_t t = 0; t < named_.tables.size(); ++t) {
      const DescribedAttribute &row = attributes_[named_.tables[t].first],
                               &column = attributes_[named_.tables[t].second];
      cells_of_two(unit({&row, &column}, true), row, column, t);
    }
    if (settings_.correlation) correlations();
    return std::move(out_);
  }

 private:
  std::size_t unit(const std::vector<const DescribedAttribute*>& attributes, bool small_cells) {
    DescribeUnit out;
    for (const DescribedAttribute* attribute : attributes)
      out.columns.insert(out.columns.end(), attribute->columns.begin(), attribute->columns.end());
    out.of_two = attributes.size() > 1;
    out.small_cells = small_cells;
    out_.units.push_back(std::move(out));
    return out_.units.size() - 1;
  }

  bool allowed(const DescribedAttribute& a, const DescribedAttribute& b) const {
    return settings_.own_moments || a.party != b.party;
  }

  bool counted(const DescribedAttribute& attribute) const {
    return attribute.categorical || two_valued_[attribute.columns[0]];
  }

  static std::vector<DescribeLevel> levels_of(const DescribedAttribute& attribute) {
    if (!attribute.categorical) return {{attribute.columns[0], false}, {attribute.columns[0], true}};
    std::vector<DescribeLevel> out;
    for (const std::size_t column : attribute.columns) out.push_back({column, true});
    return out;
  }

  void alone(const DescribedAttribute& attribute) {
    const std::size_t of = unit({&attribute}, false);
    if (!counted(attribute)) return out_.statistics.push_back({of, attribute.columns[0]});
    for (const DescribeLevel& level : levels_of(attribute)) out_.cells.push_back({of, level.column, level.value});
  }

  void by_group(const DescribedAttribute& attribute, const DescribedAttribute& by) {
    if (!allowed(attribute, by)) return;
    const std::size_t of = unit({&by, &attribute}, counted(attribute));
    if (counted(attribute)) return cells_of_two(of, attribute, by, std::nullopt);
    out_.units[of].groups_of_numbers = true;
    for (const DescribeLevel& group : levels_of(by)) out_.statistics.push_back({of, attribute.columns[0], group});
  }

  void cells_of_two(std::size_t of, const DescribedAttribute& row, const DescribedAttribute& column,
                    std::optional<std::size_t> table, bool of_correlation = false) {
    for (const DescribeLevel& a : levels_of(row))
      for (const DescribeLevel& b : levels_of(column))
        out_.cells.push_back({of, a.column, a.value, b.column, b.value, table, of_correlation});
  }

  void correlations() {
    for (std::size_t a = 0; a < attributes_.size(); ++a)
      for (std::size_t b = a + 1; b < attributes_.size(); ++b)
        if (!attributes_[a].categorical && !attributes_[b].categorical && allowed(attributes_[a], attributes_[b]))
          correlation(attributes_[a], attributes_[b]);
  }

  void correlation(const DescribedAttribute& a, const DescribedAttribute& b) {
    const bool both = counted(a) && counted(b);
    DescribeCorrelation pair{unit({&a, &b}, both), a.columns[0], b.columns[0]};
    if (both) {
      pair.first_cell = out_.cells.size();
      cells_of_two(pair.unit, a, b, std::nullopt, true);
    }
    out_.correlations.push_back(pair);
  }

  const DescribeSettings& settings_;
  std::vector<DescribedAttribute> attributes_;
  DescribeNames named_;
  const std::vector<bool>& two_valued_;
  DescribeLayout out_;
};

std::int64_t size(std::size_t count) { return static_cast<std::int64_t>(count); }

// The layout as if every attribute without levels were numeric. It has as many numbers then as if it were two-valued: two,
// and four by group. A correlation has one.
DescribeLayout numeric_layout(const DescribeSettings& settings, const AnalysisColumns& columns) {
  return layout_of(settings, columns, std::vector<bool>(columns.attributes.size()));
}

}  // namespace

std::vector<DescribedAttribute> described_attributes(const AnalysisColumns& columns) {
  std::vector<DescribedAttribute> out;
  for (std::size_t j = 0; j < columns.names.size(); ++j) {
    const NamedColumn& column = columns.names[j];
    const bool categorical = !column.level.empty();
    if (categorical && !out.empty() && out.back().categorical && out.back().party == column.party &&
        out.back().name == column.declared())
      out.back().columns.push_back(j);
    else
      out.push_back({column.party, column.declared(), {j}, categorical});
  }
  return out;
}

std::optional<std::size_t> attribute_of(const std::vector<DescribedAttribute>& attributes, const std::string& name) {
  std::optional<std::size_t> found;
  for (std::size_t j = 0; j < attributes.size(); ++j) {
    if (name != attributes[j].name && name != attributes[j].party + "." + attributes[j].name) continue;
    if (found) return std::nullopt;
    found = j;
  }
  return found;
}

DescribeNames names_of(const DescribeSettings& settings, const std::vector<DescribedAttribute>& attributes) {
  DescribeNames out;
  for (const auto& [row, column] : settings.tables)
    out.tables.emplace_back(attribute_of(attributes, row).value(), attribute_of(attributes, column).value());
  if (settings.by) out.by = attribute_of(attributes, *settings.by).value();
  return out;
}

std::optional<std::size_t> group_column(const DescribeSettings& settings, const AnalysisColumns& columns) {
  if (!settings.by) return std::nullopt;
  const std::vector<DescribedAttribute> attributes = described_attributes(columns);
  return attributes[*names_of(settings, attributes).by].columns[0];
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
    const DescribeUnit& of = layout.units[unit];
    return of.of_two && columns.names[of.columns.front()].party == columns.names[of.columns.back()].party;
  };
  std::int64_t out = 0;
  for (const DescribeCell& cell : layout.cells) out += own(cell.unit);
  for (const DescribeStatistic& statistic : layout.statistics) out += 2 * own(statistic.unit);
  for (const DescribeCorrelation& correlation : layout.correlations) out += own(correlation.unit);
  return out;
}

}  // namespace pgmpc
