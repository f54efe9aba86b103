// Builds the query that reads a source: every column as float8 and every part of the identifier as text, the same under
// every setting (pg/fixed_settings.h). Everything in it is schema-qualified, and names are quoted.
//
// Terms
// The column of a level (study/levels.h) is 1 or 0, and infinity for a value that is none of the declared levels. The
// texts are compared byte by byte.
#pragma once
#include <string>
#include <vector>

#include "linkage/forms.h"
#include "protocol/protocol.h"

namespace pgmpc {

// Sets which columns are boolean, and what kind of text each part is. Error(undefined_object) names a column that does
// not exist, Error(data_exception) one that is neither numeric nor boolean, or for levels neither text nor a whole number.
// own: who brings the columns; it has the declared levels.
std::string source_query(unsigned int relation, const ControllerSpec& own, std::vector<SourceColumn>& columns,
                         const std::vector<std::string>& parts, std::vector<PartType>& types);

}  // namespace pgmpc
