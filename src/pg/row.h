// Gives the row type of an SQL function that returns one row.
#pragma once
#include "pg/compat.h"

extern "C" {
#include "access/htup_details.h"
#include "funcapi.h"
}

namespace pgmpc::pg {

// Raises with ereport: no C++ object may be alive in the caller.
inline TupleDesc row_type(FunctionCallInfo fcinfo) {
  TupleDesc row;
  if (get_call_result_type(fcinfo, nullptr, &row) != TYPEFUNC_COMPOSITE)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("function must be called for a row"),
                    errdetail("Its result is a row of named columns."),
                    errhint("Call it as SQL does: SELECT * FROM function(...).")));
  return BlessTupleDesc(row);
}

}  // namespace pgmpc::pg
