// Gives the role in whose name an SQL function of schema mpc acts.
#pragma once
#include "pg/compat.h"

namespace pgmpc {

// Returns the current user, who must be a member of a role that may execute the function; otherwise raises 42501.
// Raises 25006 on a standby and 42501 in a security-restricted operation. No C++ object may be alive in the caller.
Oid calling_role(FunctionCallInfo fcinfo);

// Returns the role that an entry passed as this argument. The SQL of version 0.1.0, which a node may have until ALTER
// EXTENSION pg_mpc UPDATE, passes none. The role is then the one that called the outermost function.
inline Oid caller_argument(FunctionCallInfo fcinfo, int argument) {
  return fcinfo->nargs > argument ? PG_GETARG_OID(argument) : GetOuterUserId();
}

}  // namespace pgmpc
