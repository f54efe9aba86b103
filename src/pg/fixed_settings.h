// Fixes the settings that affect the text of a value or the meaning of an expression, wherever pg_mpc evaluates one.
// Neither a session nor its role, database or server can thus change what a source, a name or a message is.
#pragma once
#include "pg/compat.h"

namespace pgmpc::pg {

// Fixes them until AtEOXact_GUC ends the nest level that the caller opened with NewGUCNestLevel.
void fix_settings_in_nest_level();
// Fixes them for the rest of a background worker's run.
void fix_settings_of_worker();

}  // namespace pgmpc::pg
