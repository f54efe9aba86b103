// What: the planner's two hooks for statistics (source_statistics.h). Server code: no C++ object lives here.
#include "worker/source_statistics.h"

#include "pg/compat.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_statistic.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
}

namespace pgmpc {
namespace {

// A copy of the row, or nullptr.
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
  // Stricter than the server: through a view only leakproof operators look at the values.
  variable->acl_ok =
      entry->securityQuals == NIL && pg_class_aclcheck(entry->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
  return true;
}

// 0: the server looks by itself, and finds nothing either.
int32 width_of(Oid relation, AttrNumber number) {
  HeapTuple row = read_statistics(relation, number, false);
  if (!HeapTupleIsValid(row)) return 0;
  int32 width = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(row))->stawidth;
  forget(row);
  return width;
}

}  // namespace

void keep_statistics_out_of_cache() noexcept {
  get_relation_stats_hook = statistics_of;
  get_attavgwidth_hook = width_of;
}

}  // namespace pgmpc
