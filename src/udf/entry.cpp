// The public functions of schema mpc: each is an entry in C that takes the current user, checks its membership and
// calls the function of the same name in schema mpc_internal, with the user as its first argument.
//
// Terms
//   caller = the current user of the call: after SET ROLE that role, within a SECURITY DEFINER function its owner. A
//   function of somebody else that calls mpc acts in the name of its owner, never in that of whoever called it.
//
// Security
//   The entry is SECURITY INVOKER, so that the current user is the caller; what needs the rights of the extension's
//   owner is SECURITY DEFINER in mpc_internal, where only what tells nothing is granted (90_privileges.sql). Entries
//   that change something are refused in a security-restricted operation (an index expression, a materialized view,
//   code of a source that is being read): the current user is there whoever the maintenance runs for, and the code is
//   somebody else's. Membership is checked besides EXECUTE: a grant of EXECUTE alone opens nothing.
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
// Entries that change nothing that lasts, though they are VOLATILE: they work on a standby.
constexpr const char* kReading[] = {"check_source", "explain_study", "export_ledger", "node_status", "verify_ledger"};

// What a call of one entry needs to know, kept for the calls of one query.
struct Entry {
  FmgrInfo implementation;
  bool changes;      // VOLATILE
  bool reads;        // works on a standby
  char* step;        // name of the step, for entries of steps
  char* membership;  // "mpc_study, mpc_reader": who may call, for the error
};

bool role_may_execute(Oid role, Oid function) {
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
  return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

// mpc_internal.NAME(oid, arguments of the entry[, text])
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
                    errdetail("The functions of the extension and its library do not fit each other."),
                    errhint("Run ALTER EXTENSION pg_mpc UPDATE.")));
  return function;
}

// Names of the roles that hold EXECUTE, for the error.
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

// Calls the implementation with the arguments of the entry; its rows go where those of the entry are awaited.
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
  // No setting of the session changes a name, a text or what an expression means. An error restores them with the
  // (sub)transaction that it aborts.
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

// Reads a source as the caller: code of its owner runs, so it runs as sources are always read.
Datum pg_mpc_source_entry(PG_FUNCTION_ARGS) {
  Entry* entry = pgmpc::entry_of(fcinfo, false);
  Oid caller = pgmpc::require_caller(fcinfo->flinfo->fn_oid, entry->membership, entry->changes);
  pgmpc::pg::GuardedRole before = pgmpc::pg::act_as(caller);
  Datum result = pgmpc::call(fcinfo, entry, caller, true);
  pgmpc::pg::act_again_as(before);
  return result;
}
