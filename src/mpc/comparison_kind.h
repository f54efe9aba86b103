// What: the two ways to compare on shares. fast = distributed comparison functions (dcf.h): fewest rounds;
//       compact = one-time truth tables (truth_table.h): two or three rounds more, a tenth of the bytes or less.
#pragma once

namespace pgmpc {

enum class ComparisonKind { fast, compact };

constexpr const char* comparison_name(ComparisonKind kind) { return kind == ComparisonKind::fast ? "fast" : "compact"; }

}  // namespace pgmpc
