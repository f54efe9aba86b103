// Implements the planner's hooks for statistics. Server code: no C++ object with a destructor is used here.
#include "worker/source_statistics.h"

#include "pg/compat.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_statistic.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
}

namespace pgmpc {
namespace {

// Returns a copy of the row, or nullptr.
HeapTuple read_statistics(Oid relation, AttrNumber number, bool inherited) {
  ScanKeyData keys[3];
  ScanKeyInit(&keys[0], Anum_pg_statistic_starelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
  ScanKeyInit(&keys[1], Anum_pg_statistic_staattnum, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(number));
  ScanKeyInit(&keys[2], Anum_pg_statistic_stainherit, BTEqualStrategyNumber, F_BOOLEQ, BoolGetDatum(inherited));
  Relation catalog = table_open(StatisticRelationId, AccessShareLock);
  SysScanDesc scan = systable_beginscan(catalog, StatisticRelidAttnumInhIndexId, true, nullptr, 3, keys);
  HeapTuple found = systable_getnext(scan);
  HeapTuple copy = HeapTupleIsValid(found) ? heap_copytuple(found) : nullptr;
  systable_endscan(scan);
  table_close(catalog, AccessShareLock);
  return copy;
}

void forget(HeapTuple row) {
  explicit_bzero(row->t_data, row->t_len);
  heap_freetuple(row);
}

bool statistics_of(PlannerInfo* root, RangeTblEntry* entry, AttrNumber number, VariableStatData* variable) {
  if (entry->rtekind != RTE_RELATION) return false;
  variable->statsTuple = read_statistics(entry->relid, number, entry->inh);
  variable->freefunc = forget;
  // Stricter than the server: through a view, only leakproof operators may use the values.
  variable->acl_ok =
      entry->securityQuals == NIL && pg_class_aclcheck(entry->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
  return true;
}

bool statistics_of_index(PlannerInfo*, Oid index, AttrNumber number, VariableStatData* variable) {
  variable->statsTuple = read_statistics(index, number, false);
  variable->freefunc = forget;
  variable->acl_ok = false;  // only leakproof operators use the values; costs an estimate, needs no privilege check
  return true;
}

// Returns 0 when there is no row. The server then looks itself, and finds none either.
int32 width_of(Oid relation, AttrNumber number) {
  HeapTuple row = read_statistics(relation, number, false);
  if (!HeapTupleIsValid(row)) return 0;
  int32 width = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(row))->stawidth;
  forget(row);
  return width;
}

// The planner uses the statistics that the relation's cache entry lists.
void hide_extended_statistics(Oid relation) {
  Relation entry = relation_open(relation, AccessShareLock);
  list_free(entry->rd_statlist);
  entry->rd_statlist = NIL;
  entry->rd_statvalid = true;
  relation_close(entry, NoLock);
}

bool visit_tables(Node* node, void* context);
#if PG_VERSION_NUM >= 160000
bool (*const walker)(Node*, void*) = visit_tables;
#else
// Before PostgreSQL 16 walkers are declared without parameters.
bool (*const walker)() = reinterpret_cast<bool (*)()>(reinterpret_cast<void (*)()>(visit_tables));
#endif

bool visit_tables(Node* node, void* context) {
  if (node == nullptr) return false;
  if (IsA(node, RangeTblEntry)) {
    const auto* range = reinterpret_cast<RangeTblEntry*>(node);
    if (range->rtekind != RTE_RELATION) return false;
    ListCell* cell;
    foreach (cell, find_all_inheritors(range->relid, AccessShareLock, nullptr))
      hide_extended_statistics(lfirst_oid(cell));
    return false;
  }
  if (IsA(node, Query))
    return query_tree_walker(reinterpret_cast<Query*>(node), walker, context, QTW_EXAMINE_RTES_BEFORE);
  return expression_tree_walker(node, walker, context);
}

planner_hook_type next_planner = nullptr;

PlannedStmt* plan(Query* query, const char* text, int options, ParamListInfo parameters) {
  visit_tables(reinterpret_cast<Node*>(query), nullptr);
  return (next_planner != nullptr ? next_planner : standard_planner)(query, text, options, parameters);
}

}  // namespace

void keep_statistics_out_of_cache() noexcept {
  get_relation_stats_hook = statistics_of;
  get_index_stats_hook = statistics_of_index;
  get_attavgwidth_hook = width_of;
  next_planner = planner_hook;
  planner_hook = plan;
}

}  // namespace pgmpc
