// Implements the change to another role and back, with fixed settings.
#include "pg/guarded_role.h"

#include "pg/fixed_settings.h"

extern "C" {
#include "utils/syscache.h"
}

namespace pgmpc::pg {

GuardedRole act_as(Oid role) {
  if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)))
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("the role that approved the study does not exist any more"),
             errdetail("Its oid was %u.", role), errhint("Approve the study again.")));
  GuardedRole before;
  GetUserIdAndSecContext(&before.user, &before.context);
  before.settings = NewGUCNestLevel();
  SetUserIdAndSecContext(role, before.context | SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
  fix_settings_in_nest_level();
  return before;
}

void act_again_as(const GuardedRole& before) {
  AtEOXact_GUC(false, before.settings);
  SetUserIdAndSecContext(before.user, before.context);
}

}  // namespace pgmpc::pg
