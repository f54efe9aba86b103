// The two ways to compare on shares.
// fast: distributed comparison functions (dcf.h), with the fewest rounds. compact: one-time truth tables
// (truth_table.h), with two or three rounds more and at most a tenth of the bytes.
#pragma once

namespace pgmpc {

enum class ComparisonKind { fast, compact };

constexpr const char* comparison_name(ComparisonKind kind) { return kind == ComparisonKind::fast ? "fast" : "compact"; }

}  // namespace pgmpc
