// Runs code of others under the rights of one role: whatever reads a source does so between act_as and act_again_as.
//
// Invariants
//   Between the two the user is the role, the operation is security-restricted (no SET ROLE, no temporary objects, no
//   LISTEN, PREPARE, cursor WITH HOLD or deferred trigger), and the settings that decide on the text of values are
//   fixed (fixed_settings.h), the search path among them. Every setting that the code changed is as before afterwards,
//   whatever scope it asked for. An error in between restores both with the (sub)transaction that it aborts. Plain
//   data, no destructor: both functions are called where the server may raise.
#pragma once
#include "pg/compat.h"

namespace pgmpc::pg {

struct GuardedRole {
  Oid user;
  int context;
  int settings;  // nest level of settings
};

// Error 42704 when there is no such role.
GuardedRole act_as(Oid role);
void act_again_as(const GuardedRole& before);

}  // namespace pgmpc::pg
