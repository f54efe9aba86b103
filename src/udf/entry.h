// The role in whose name an SQL function of schema mpc acts (udf/entry.cpp).
#pragma once
#include "pg/compat.h"

namespace pgmpc {

// The current user, who must be a member of a role that may execute the function. Raises 42501 as the server does: no
// C++ object may be alive in the caller.
Oid calling_role(FunctionCallInfo fcinfo);

// The role that an entry passed on as this argument. The SQL of version 0.1.0, which a node may have until ALTER
// EXTENSION pg_mpc UPDATE, passes none: it means the role that called the outermost function.
inline Oid caller_argument(FunctionCallInfo fcinfo, int argument) {
  return fcinfo->nargs > argument ? PG_GETARG_OID(argument) : GetOuterUserId();
}

}  // namespace pgmpc
