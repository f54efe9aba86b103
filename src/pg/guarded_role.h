// Runs code of others under the rights of one role: a source is read only between act_as and act_again_as.
//
// Security
// Between the two, the user is the role. The operation is security-restricted: no SET ROLE, no temporary objects, no
// LISTEN, PREPARE, cursor WITH HOLD or deferred trigger. The settings that affect the text of values, among them the
// search path, are fixed (fixed_settings.h). Afterwards, every setting that the code changed has its former value,
// whatever scope the change had.
//
// Errors
// An error in between restores role and settings with the (sub)transaction that it aborts. The types are plain data
// without destructors; call both functions where the server may raise.
#pragma once
#include "pg/compat.h"

namespace pgmpc::pg {

struct GuardedRole {
  Oid user;
  int context;
  int settings;  // nest level of the settings
};

// Becomes the role and returns what act_again_as restores. Error 42704 when there is no such role.
GuardedRole act_as(Oid role);
void act_again_as(const GuardedRole& before);

}  // namespace pgmpc::pg
