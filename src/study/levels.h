// Categorical attributes: those whose values are texts, each one of a few declared levels.
//
// Terms
// The column of a level holds 1 where the value is that level and 0 where it is another declared one. Its name is
// "attribute:level"; names of other columns have no colon.
// The reference is the first declared level. Its column follows from the others, so models do not have it. It is joined
// nevertheless: the disclosure rules are about every level.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace pgmpc {

struct Level {
  std::string attribute, level;
};

std::string level_column(std::string_view attribute, std::string_view level);
// Returns which level of which attribute the column is about; none for a column of a number.
std::optional<Level> level_of(std::string_view column);
// Returns the level in quotation marks, for sentences that people read.
std::string quoted_level(std::string_view level);
// The same in the name of a column; names without a level stay as they are.
std::string shown_column(std::string_view column);
// True for 1 to 63 printable ASCII characters, the first and the last of which are not blanks.
bool valid_level(std::string_view level);

}  // namespace pgmpc
