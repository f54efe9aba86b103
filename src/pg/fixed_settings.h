// Settings that decide on the text of a value, or on what an expression means: fixed wherever pg_mpc evaluates
// something, so that neither a session nor its role, its database or its server changes what a source, a name or a
// message is.
#pragma once
#include "pg/compat.h"

namespace pgmpc::pg {

// Until AtEOXact_GUC ends the nest level that the caller opened with NewGUCNestLevel.
void fix_settings_in_nest_level();
// For the rest of a background worker's life.
void fix_settings_of_worker();

}  // namespace pgmpc::pg
