// Implements mpc_internal.chi_square_tail and mpc_internal.student_two_sided.
#include "statistics/distributions.h"

#include "pg/guard.h"

namespace pgmpc {

extern "C" {
PG_FUNCTION_INFO_V1(pg_mpc_chi_square_tail);
PG_FUNCTION_INFO_V1(pg_mpc_student_two_sided);
}

Datum pg_mpc_chi_square_tail(PG_FUNCTION_ARGS) {
  const double x = PG_GETARG_FLOAT8(0), degrees = PG_GETARG_FLOAT8(1);
  return pg::udf(fcinfo, [&] { return Float8GetDatum(chi_square_tail(x, degrees)); });
}

Datum pg_mpc_student_two_sided(PG_FUNCTION_ARGS) {
  const double t = PG_GETARG_FLOAT8(0), degrees = PG_GETARG_FLOAT8(1);
  return pg::udf(fcinfo, [&] { return Float8GetDatum(student_two_sided(t, degrees)); });
}

}  // namespace pgmpc
