// Profiles a source while it is scanned as an engine would read it: a dry run of what a study does with its rows,
// identifiers and columns. The result is JSON for SQL.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "linkage/column_summary.h"
#include "linkage/profile.h"
#include "worker/engine_source.h"

namespace pgmpc {

class SourceProfile {
 public:
  // For a controller of the spec (0 or 1). columns: those that are read, some or all of its own.
  SourceProfile(const Spec& spec, int controller, const std::vector<std::string>& columns);
  void add(const Source& part);
  SeePart see() {
    return [this](std::size_t part, ByteView text, Refusal refusal) { parts_[part].see(text, refusal); };
  }
  // Returns the number of surplus records of an identifier, incomplete ones included. Sorts the 16 bytes that it keeps
  // per record.
  std::int64_t duplicates();
  // Returns the columns with at most two distinct values among the records that a study keeps.
  std::vector<std::string> two_valued() const;
  // Returns ASCII text:
  // {"rows", "nulls", "refused", "kept", "required",
  //  "identifier": {"nulls", "duplicates", "parts": [{"records", "refused", "reasons", "shortest", "longest",
  //                 "leading_zeros", "blanks", "non_ascii", "shapes"}]},
  //  "columns": {NAME: {"nulls", "minimum", "maximum", "mean", "sd", "problem"}}}
  // A row is kept, has a NULL, or is refused by a form. Figures of a column are those of the kept rows.
  std::string json(std::int64_t duplicates) const;

 private:
  struct Column {
    std::string name;
    bool boolean = false;
    std::int64_t nulls = 0;
    ColumnSummary summary;
  };
  Json identifier_json(std::int64_t duplicates) const;
  Json column_json(const Column& column) const;

  const Spec& spec_;
  int controller_;
  std::vector<PartProfile> parts_;
  std::vector<Column> columns_;
  SecretVector<std::array<std::uint8_t, 16>> seen_;  // first bytes of the identifiers' SHA-256
  std::int64_t rows_ = 0, with_null_ = 0, kept_ = 0, dropped_ = 0, refused_ = 0;
};

}  // namespace pgmpc
