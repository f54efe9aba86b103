// Implements the public functions of schema mpc. Each is an entry in C: it takes the current user, checks the user's
// membership, and calls the function of the same name in schema mpc_internal with the user as its first argument.
//
// Terms
// The caller is the current user of the call: after SET ROLE that role, within a SECURITY DEFINER function its owner. A
// function of another role that calls mpc thus acts in the name of its owner, never in the name of its own caller.
//
// Security
// The entry is SECURITY INVOKER, so that the current user is the caller. Functions that need the rights of the
// extension's owner are SECURITY DEFINER in mpc_internal. Of that schema, only what reveals nothing is granted
// (90_privileges.sql).
//
// Entries that change something are refused in a security-restricted operation (an index expression, a materialized
// view, code of a source that is being read). The current user there is the one for whom the maintenance runs, and the
// code belongs to another role.
//
// Membership is checked in addition to EXECUTE: a grant of EXECUTE alone gives no access.
#include "udf/entry.h"

#include "pg/error_context.h"
#include "pg/fixed_settings.h"
#include "pg/guarded_role.h"

extern "C" {
#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(pg_mpc_entry);
PG_FUNCTION_INFO_V1(pg_mpc_step_entry);
PG_FUNCTION_INFO_V1(pg_mpc_source_entry);
}

namespace pgmpc {
namespace {

constexpr const char* kRoles[] = {"mpc_admin", "mpc_study", "mpc_reader"};
constexpr const char* kStepFunction = "run_step";
// VOLATILE entries that change nothing permanent: they work on a standby.
constexpr const char* kReading[] = {"check_source", "explain_study", "export_ledger", "node_status", "verify_ledger"};

// What the calls of one entry need to know, kept for the calls of one query.
struct Entry {
  FmgrInfo implementation;
  bool changes;      // VOLATILE
  bool reads;        // works on a standby
  char* step;        // name of the step for entries of steps, else nullptr
  char* membership;  // roles that may call it, for the error: "mpc_study, mpc_reader"
};

bool role_may_execute(Oid role, Oid function) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
  return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

// Finds mpc_internal.NAME(oid, arguments of the entry[, text]).
Oid implementation_of(const char* name, const oidvector* arguments, bool step) {
  Oid types[FUNC_MAX_ARGS];
  int count = 0;
  types[count++] = OIDOID;
  for (int i = 0; i < arguments->dim1 && count < FUNC_MAX_ARGS; i++) types[count++] = arguments->values[i];
  if (step && count < FUNC_MAX_ARGS) types[count++] = TEXTOID;
  oidvector* key = buildoidvector(types, count);
  Oid function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name), PointerGetDatum(key),
                                 ObjectIdGetDatum(get_namespace_oid("mpc_internal", false)));
  if (!OidIsValid(function))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function mpc_internal.%s of pg_mpc is missing", name),
                    errdetail("The installed functions of the extension do not match its library."),
                    errhint("Run ALTER EXTENSION pg_mpc UPDATE.")));
  return function;
}

// Returns the names of the roles that hold EXECUTE, for the error.
char* members_of(Oid function) {
  StringInfoData names;
  initStringInfo(&names);
  for (const char* name : kRoles) {
    Oid role = get_role_oid(name, true);
    if (OidIsValid(role) && role_may_execute(role, function))
      appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", name);
  }
  return names.data;
}

Entry* entry_of(FunctionCallInfo fcinfo, bool step) {
  if (fcinfo->flinfo->fn_extra != nullptr) return static_cast<Entry*>(fcinfo->flinfo->fn_extra);
  HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
  auto* row = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
  MemoryContext before = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
  auto* entry = static_cast<Entry*>(palloc0(sizeof(Entry)));
  entry->changes = row->provolatile == PROVOLATILE_VOLATILE;
  entry->reads = !entry->changes || std::any_of(std::begin(kReading), std::end(kReading), [&](const char* name) {
    return strcmp(name, NameStr(row->proname)) == 0;
  });
  if (step) entry->step = pstrdup(NameStr(row->proname));
  entry->membership = members_of(fcinfo->flinfo->fn_oid);
  Oid function = implementation_of(step ? kStepFunction : NameStr(row->proname), &row->proargtypes, step);
  fmgr_info_cxt(function, &entry->implementation, fcinfo->flinfo->fn_mcxt);
  MemoryContextSwitchTo(before);
  ReleaseSysCache(tuple);
  fcinfo->flinfo->fn_extra = entry;
  return entry;
}

Oid require_caller(Oid function, const char* membership, bool changes) {
  if (changes && InSecurityRestrictedOperation())
    ereport(ERROR,
            (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
             errmsg("studies cannot be changed within a security-restricted operation"),
             errdetail(
                 "Index expressions, materialized views and the sources of studies are evaluated in such operations."),
             errhint("Call functions of pg_mpc from a query of your own.")));
  Oid caller = GetUserId();
  for (const char* name : kRoles) {
    Oid role = get_role_oid(name, true);
    if (OidIsValid(role) && role_may_execute(role, function) && has_privs_of_role(caller, role)) return caller;
  }
  ereport(ERROR,
          (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
           errmsg("role %s may not call this function of pg_mpc", quote_identifier(GetUserNameFromId(caller, false))),
           errdetail("It is for members of %s.", membership[0] != '\0' ? membership : "no role"),
           errhint("Within a SECURITY DEFINER function the role is its owner, after SET ROLE it is that role.")));
  pg_unreachable();
}

void require_primary() {
  if (!RecoveryInProgress()) return;
  ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("this server is a standby"),
                  errdetail("It can be read. Studies run, and everything about them is changed, on the primary."),
                  errhint("Call this function on the primary, or promote this server first.")));
}

// Calls the implementation with the arguments of the entry. Its rows go to the result set of the entry.
Datum call(FunctionCallInfo fcinfo, Entry* entry, Oid caller, bool reads_source = false) {
  if (!entry->reads) require_primary();
  LOCAL_FCINFO(inner, FUNC_MAX_ARGS);
  const int count = fcinfo->nargs + 1 + (entry->step != nullptr ? 1 : 0);
  InitFunctionCallInfoData(*inner, &entry->implementation, static_cast<short>(count), fcinfo->fncollation,
                           fcinfo->context, fcinfo->resultinfo);
  inner->args[0].value = ObjectIdGetDatum(caller);
  inner->args[0].isnull = false;
  for (int i = 0; i < fcinfo->nargs; i++) inner->args[i + 1] = fcinfo->args[i];
  if (entry->step != nullptr) {
    inner->args[count - 1].value = CStringGetTextDatum(entry->step);
    inner->args[count - 1].isnull = false;
  }
  // No setting of the session may change a name, a text or the meaning of an expression. An error restores the settings
  // with the (sub)transaction that it aborts.
  const int level = NewGUCNestLevel();
  pg::fix_settings_in_nest_level();
  const MemoryContext memory = CurrentMemoryContext;
  ErrorContextCallback mark;
  pg::mark_entry(&mark);
  Datum result = 0;
  PG_TRY();
  { result = FunctionCallInvoke(inner); }
  PG_CATCH();
  { pg::rethrow_without_own_context(memory, reads_source); }
  PG_END_TRY();
  error_context_stack = mark.previous;
  AtEOXact_GUC(false, level);
  fcinfo->isnull = inner->isnull;
  return result;
}

}  // namespace

Oid calling_role(FunctionCallInfo fcinfo) {
  Oid function = fcinfo->flinfo->fn_oid;
  const Oid caller = require_caller(function, members_of(function), true);
  require_primary();
  return caller;
}

}  // namespace pgmpc

using pgmpc::Entry;

Datum pg_mpc_entry(PG_FUNCTION_ARGS) {
  Entry* entry = pgmpc::entry_of(fcinfo, false);
  return pgmpc::call(fcinfo, entry, pgmpc::require_caller(fcinfo->flinfo->fn_oid, entry->membership, entry->changes));
}

Datum pg_mpc_step_entry(PG_FUNCTION_ARGS) {
  Entry* entry = pgmpc::entry_of(fcinfo, true);
  return pgmpc::call(fcinfo, entry, pgmpc::require_caller(fcinfo->flinfo->fn_oid, entry->membership, entry->changes));
}

// Reads a source as the caller. Code of the source's owner runs, so this uses the same guard as every read of a source.
Datum pg_mpc_source_entry(PG_FUNCTION_ARGS) {
  Entry* entry = pgmpc::entry_of(fcinfo, false);
  Oid caller = pgmpc::require_caller(fcinfo->flinfo->fn_oid, entry->membership, entry->changes);
  pgmpc::pg::GuardedRole before = pgmpc::pg::act_as(caller);
  Datum result = pgmpc::call(fcinfo, entry, caller, true);
  pgmpc::pg::act_again_as(before);
  return result;
}
